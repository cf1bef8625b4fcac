// SPDX-License-Identifier: GPL-2.0-only
/* The two kernel functions that are more than a line. */
#include <stdarg.h>

#include "user_space.h"

int in6_pton(const char *text, int length, u8 *to, int delimiter, const char **end)
{
	char copy[INET6_ADDRSTRLEN];

	(void)delimiter;
	if (length < 0 || length >= (int)sizeof(copy))
		return 0;
	memcpy(copy, text, length);
	copy[length] = 0;
	if (strlen(copy) != (size_t)length || inet_pton(AF_INET6, copy, to) != 1)
		return 0;
	*end = text + length;
	return 1;
}

/* As the module uses it: %s, %u, %pI4 and %pI6c. */
int scnprintf(char *to, size_t size, const char *format, ...)
{
	char part[INET6_ADDRSTRLEN];
	size_t at = 0;
	va_list list;

	va_start(list, format);
	for (; *format; format++) {
		const char *from = part;

		if (*format != '%') {
			part[0] = *format;
			part[1] = 0;
		} else if (format[1] == 's') {
			from = va_arg(list, const char *);
			format += 1;
		} else if (format[1] == 'u') {
			snprintf(part, sizeof(part), "%u", va_arg(list, unsigned int));
			format += 1;
		} else if (!strncmp(format, "%pI6c", 5)) {
			inet_ntop(AF_INET6, va_arg(list, void *), part, sizeof(part));
			format += 4;
		} else if (!strncmp(format, "%pI4", 4)) {
			inet_ntop(AF_INET, va_arg(list, void *), part, sizeof(part));
			format += 3;
		} else {
			abort();
		}
		while (*from && at + 1 < size)
			to[at++] = *from++;
	}
	va_end(list);
	if (size)
		to[at] = 0;
	return at;
}

__wsum csum_partial(const void *data, int length, __wsum sum)
{
	const u8 *octet = data;
	int i;

	for (i = 0; i + 1 < length; i += 2) {
		u16 word;

		memcpy(&word, octet + i, 2);
		sum = csum_add(sum, word);
	}
	if (length & 1) {
		u16 word = 0;

		memcpy(&word, octet + length - 1, 1);
		sum = csum_add(sum, word);
	}
	return sum;
}
