// SPDX-License-Identifier: GPL-2.0-only
/* Runs a fuzz target over files, where there is no libFuzzer. */
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int main(int argc, char **argv)
{
	int i;

	LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		unsigned char *data = malloc(1 << 17);
		size_t size;

		if (!file || !data) {
			perror(argv[i]);
			return 1;
		}
		size = fread(data, 1, 1 << 17, file);
		fclose(file);
		/* Exactly as much, so that a read behind it is seen. */
		data = realloc(data, size ? size : 1);
		fprintf(stderr, "%s\r", argv[i]);
		LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	fprintf(stderr, "\n");
	printf("%d inputs replayed\n", argc - 1);
	return 0;
}
