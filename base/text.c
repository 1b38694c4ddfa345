/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * text.c - cleaning of foreign text; see text.h.
 */
#include "base/text.h"

#include <string.h>

/* Length of the UTF-8 sequence at s (RFC 3629: shortest form, no surrogates, up to U+10FFFF);
 * 0 when there is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t need;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		need = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		need = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (need > left)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return need;
}

/* C0, DEL and C1 (U+0080..U+009F, which some terminals obey). */
static int is_control(const unsigned char *s, size_t length)
{
	return (length == 1 && (s[0] < 0x20 || s[0] == 0x7f)) ||
	       (length == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

size_t text_clean(char *dst, size_t size, const char *src, size_t length)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t out = 0;

	for (size_t i = 0; i < length;) {
		size_t n = utf8_length(s + i, length - i);
		int blank = n > 0 && (is_control(s + i, n) || s[i] == ' ');
		size_t width = n == 0 || blank ? 1 : n;

		if (out + width >= size)
			break;
		if (blank) {
			if (out > 0)
				dst[out++] = ' ';
		} else if (n == 0) {
			dst[out++] = '?';
		} else {
			memcpy(dst + out, s + i, n);
			out += n;
		}
		i += n > 0 ? n : 1;
	}
	while (out > 0 && dst[out - 1] == ' ')
		out--;
	dst[out] = '\0';
	return out;
}
