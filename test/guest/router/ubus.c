/* The lab's command `ubus`: sends its arguments to ubus-service.ts, prints the answer, and ends with the exit code in it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ubus's own, where there is no ubusd. */
#define NOT_CONNECTED 255

static void send_whole(int fd, const char *octets, size_t length)
{
	while (length > 0) {
		ssize_t count = write(fd, octets, length);

		if (count <= 0)
			exit(NOT_CONNECTED);
		octets += count;
		length -= count;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un service = { .sun_family = AF_UNIX, .sun_path = "/run/lab/ubus.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	FILE *answer;
	int code, octet;

	if (fd < 0 || connect(fd, (struct sockaddr *)&service, sizeof(service)) != 0)
		return NOT_CONNECTED;
	for (int i = 1; i < argc; i++)
		send_whole(fd, argv[i], strlen(argv[i]) + 1);
	shutdown(fd, SHUT_WR);
	answer = fdopen(fd, "r");
	if (!answer || fscanf(answer, "%d", &code) != 1 || getc(answer) != '\n')
		return NOT_CONNECTED;
	while ((octet = getc(answer)) != EOF)
		putchar(octet);
	return code;
}
