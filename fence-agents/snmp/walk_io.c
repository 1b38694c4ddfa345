/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * walk_io.c - see walk_io.h.
 *
 * Values are kept as text as they stand in the file, and parsed when asked for: an snmp_var is
 * large, a walk may have a hundred thousand objects.
 */
#include "fence-agents/snmp/walk_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct row {
	struct oid oid;
	const char *line;
	size_t length;
};

struct walk {
	struct transport transport; /* first: the two are cast into each other */
	char *text;
	struct row *rows; /* in the order of their OIDs */
	size_t count, room;
};

static struct walk *walk_of(struct transport *t)
{
	return (struct walk *)t;
}

/* The first row that is not before `oid`. */
static size_t row_seek(const struct walk *walk, const struct oid *oid)
{
	size_t low = 0, high = walk->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (oid_compare(&walk->rows[middle].oid, oid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void row_read(const struct row *row, struct snmp_var *var)
{
	const char *problem;

	snmprec_line_read(row->line, row->length, var, &problem);
}

static int walk_get(struct transport *t, struct snmp_var *vars, size_t count, struct err *err)
{
	const struct walk *walk = walk_of(t);

	(void)err;
	for (size_t i = 0; i < count; i++) {
		size_t at = row_seek(walk, &vars[i].oid);

		if (at < walk->count && oid_compare(&walk->rows[at].oid, &vars[i].oid) == 0)
			row_read(&walk->rows[at], &vars[i]);
		else
			vars[i].kind = SNMP_ABSENT;
	}
	return 0;
}

static int walk_set(struct transport *t, const struct snmp_var *var, int once, struct err *err)
{
	(void)t, (void)var, (void)once;
	return err_set(err, RC_UNSUPPORTED, NULL, "a recorded walk cannot be switched");
}

static int walk_next(struct transport *t, const struct oid *from, size_t count, unsigned rows,
		     transport_take take, void *arg, struct err *err)
{
	const struct walk *walk = walk_of(t);
	struct snmp_var var;

	(void)err;
	for (size_t i = 0; i < count; i++) {
		size_t at = row_seek(walk, &from[i]);

		if (at < walk->count && oid_compare(&walk->rows[at].oid, &from[i]) == 0)
			at++;
		for (unsigned n = 0; n < rows; n++, at++) {
			if (at >= walk->count) {
				var.oid = from[i];
				var.kind = SNMP_ABSENT;
				take(arg, i, &var);
				break;
			}
			row_read(&walk->rows[at], &var);
			take(arg, i, &var);
		}
	}
	return 0;
}

/* ---- reading the file ---- */

static int text_read(const char *path, char **text, size_t *length, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	size_t got = 0;

	if (fd < 0)
		return err_set(err, RC_CONFIG, NULL, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > WALK_BYTES_MAX) {
		close(fd);
		return err_set(err, RC_CONFIG, NULL, "%s: not a file of at most %d bytes", path,
			       WALK_BYTES_MAX);
	}
	*text = malloc((size_t)st.st_size + 1);
	while (*text && got < (size_t)st.st_size) {
		ssize_t n = read(fd, *text + got, (size_t)st.st_size - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	*length = got;
	return *text ? 0 : err_set(err, RC_INTERNAL, NULL, "out of memory");
}

static int row_add(struct walk *walk, const struct oid *oid, const char *line, size_t length)
{
	if (walk->count == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 256;
		struct row *rows = reallocarray(walk->rows, room, sizeof *rows);

		if (!rows)
			return RC_INTERNAL;
		walk->rows = rows;
		walk->room = room;
	}
	walk->rows[walk->count++] = (struct row){ .oid = *oid, .line = line, .length = length };
	return 0;
}

static int rows_read(struct walk *walk, const char *path, size_t length, struct err *err)
{
	const char *p = walk->text, *end = p + length;
	unsigned line = 0;

	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t bytes = (size_t)((stop ? stop : end) - p);
		const char *problem = "longer than a line may be";
		struct snmp_var var;
		int rc;

		line++;
		rc = bytes > WALK_LINE_MAX ? RC_CONFIG
					   : snmprec_line_read(p, bytes, &var, &problem);
		if (rc < 0)
			return err_set(err, RC_CONFIG, NULL, "%s:%u: %s", path, line, problem);
		if (rc == 1 && row_add(walk, &var.oid, p, bytes))
			return err_set(err, RC_INTERNAL, NULL, "out of memory");
		p += bytes + 1;
	}
	return 0;
}

/* Of two rows for one object the later one in the file counts. */
static int row_order(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = oid_compare(&x->oid, &y->oid);

	return order ? order : (x->line < y->line) - (x->line > y->line);
}

int walk_open(const char *path, struct transport **t, struct err *err)
{
	struct walk *walk = calloc(1, sizeof *walk);
	size_t length = 0, kept = 0;
	int rc;

	*t = NULL;
	if (!walk)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	walk->transport = (struct transport){ walk_get, walk_set, walk_next };
	rc = text_read(path, &walk->text, &length, err);
	if (rc == 0)
		rc = rows_read(walk, path, length, err);
	if (rc) {
		walk_close(&walk->transport);
		return rc;
	}
	if (walk->count > 0)
		qsort(walk->rows, walk->count, sizeof walk->rows[0], row_order);
	for (size_t i = 0; i < walk->count; i++)
		if (i == 0 || oid_compare(&walk->rows[i].oid, &walk->rows[kept - 1].oid) != 0)
			walk->rows[kept++] = walk->rows[i];
	walk->count = kept;
	*t = &walk->transport;
	return 0;
}

void walk_close(struct transport *t)
{
	struct walk *walk = t ? walk_of(t) : NULL;

	if (!walk)
		return;
	free(walk->text);
	free(walk->rows);
	free(walk);
}
