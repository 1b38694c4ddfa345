/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pr.c - the words of persistent reservations; see pr.h.
 */
#include "base/pr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const command_words[PR_COMMANDS] = {
#define X(sym, word) [PR_##sym] = (word),
	PR_COMMAND_LIST(X)
#undef X
};

static const struct type_words {
	unsigned code;
	const char *word, *name;
} types[] = {
#define X(sym, code, word, name) { code, word, name },
	PR_TYPE_LIST(X)
#undef X
};

static const struct words {
	const char *word, *text;
} meanings[PR_MEANINGS] = {
#define X(sym, word, meaning) [PR_MEANS_##sym] = { word, meaning },
	PR_MEANING_LIST(X)
#undef X
}, attentions[PR_ATTENTIONS] = {
#define X(sym, word, meaning) [PR_ATTENTION_##sym] = { word, meaning },
	PR_ATTENTION_LIST(X)
#undef X
};

const char *pr_command_word(enum pr_command command)
{
	return (unsigned)command < PR_COMMANDS ? command_words[command] : "unknown command";
}

const char *pr_meaning_word(enum pr_meaning meaning)
{
	return (unsigned)meaning < PR_MEANINGS ? meanings[meaning].word : "unknown";
}

const char *pr_meaning_text(enum pr_meaning meaning)
{
	return (unsigned)meaning < PR_MEANINGS ? meanings[meaning].text : "unknown";
}

const char *pr_attention_word(enum pr_attention attention)
{
	return (unsigned)attention < PR_ATTENTIONS ? attentions[attention].word : "unknown";
}

const char *pr_attention_text(enum pr_attention attention)
{
	return (unsigned)attention < PR_ATTENTIONS ? attentions[attention].text : "unknown";
}

/* ---- types ---- */

static const struct type_words *type_find(unsigned code)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].code == code)
			return &types[i];
	return NULL;
}

int pr_type_is_known(unsigned code)
{
	return type_find(code) != NULL;
}

const char *pr_type_word(unsigned code)
{
	const struct type_words *type = type_find(code);

	if (code == PR_TYPE_NONE)
		return "none";
	return type ? type->word : "unknown";
}

const char *pr_type_name(unsigned code)
{
	const struct type_words *type = type_find(code);

	if (code == PR_TYPE_NONE)
		return "no reservation";
	return type ? type->name : "unknown";
}

enum pr_type pr_type_parse(const char *text)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		const char digit[2] = { (char)('0' + types[i].code), '\0' };

		if (strcmp(text, types[i].word) == 0 || strcmp(text, digit) == 0)
			return (enum pr_type)types[i].code;
	}
	return PR_TYPE_NONE;
}

/* ---- keys ---- */

const char *pr_key_text(uint64_t key, char out[PR_KEY_TEXT_BYTES])
{
	snprintf(out, PR_KEY_TEXT_BYTES, "0x%016llx", (unsigned long long)key);
	return out;
}

/* A number of 1 to `digits` digits of the alphabet, up to max. The character behind it, or NULL. */
static const char *number_read(const char *text, const char *alphabet, size_t digits, int base,
			       uint64_t max, uint64_t *value)
{
	size_t length = strspn(text, alphabet);

	if (length == 0 || length > digits)
		return NULL;
	*value = strtoull(text, NULL, base);
	return *value <= max ? text + length : NULL;
}

int pr_key_parse(const char *text, uint64_t *key, struct err *err)
{
	static const char hex[] = "0123456789abcdefABCDEF", decimal[] = "0123456789";
	uint64_t cluster, node, incarnation;
	const char *at;

	if (strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0) {
		at = number_read(text + 2, hex, 16, 16, UINT64_MAX, key);
		if (at && *at == '\0' && *key != 0)
			return 0;
	} else if (strchr(text, ':')) {
		at = number_read(text, hex, 8, 16, UINT32_MAX, &cluster);
		if (at && *at == ':')
			at = number_read(at + 1, decimal, 5, 10, UINT16_MAX, &node);
		else
			at = NULL;
		if (at && *at == ':')
			at = number_read(at + 1, decimal, 5, 10, UINT16_MAX, &incarnation);
		else
			at = NULL;
		if (at && *at == '\0' && cluster != 0) {
			*key = pr_key_make((uint32_t)cluster, (uint16_t)node,
					   (uint16_t)incarnation);
			return 0;
		}
	}
	return err_set(err, RC_CONFIG,
		       "write it as 0x and up to 16 hexadecimal digits, not zero, or as "
		       "CLUSTER:NODE:INCARNATION",
		       "\"%s\" is no reservation key", text);
}

/* ---- answers ---- */

const char *pr_reply_text(const struct pr_reply *reply, char *out, size_t size)
{
	if (reply->meaning == PR_MEANS_ATTENTION)
		snprintf(out, size, "unit attention %02X/%02X (%s)", reply->asc, reply->ascq,
			 pr_attention_text(reply->attention));
	else if (reply->meaning == PR_MEANS_CONFLICT)
		snprintf(out, size, "RESERVATION CONFLICT");
	else if (reply->has_sense)
		snprintf(out, size, "%s (sense %X/%02X/%02X)", pr_meaning_text(reply->meaning),
			 reply->sense_key, reply->asc, reply->ascq);
	else if (reply->status != 0)
		snprintf(out, size, "%s (status %02X)", pr_meaning_text(reply->meaning),
			 reply->status);
	else
		snprintf(out, size, "%s", pr_meaning_text(reply->meaning));
	return out;
}
