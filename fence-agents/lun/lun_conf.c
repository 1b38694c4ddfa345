/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_conf.c - options taken apart; see lun_conf.h.
 */
#include "fence-agents/lun/lun_conf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What separates entries; Pacemaker's own maps use blanks and semicolons. */
#define SEPARATORS " \t\n,;"

/* A number without sign and blanks; 0 when it is none, or not within 1..max. */
static unsigned long number_read(const char *text, int base, unsigned long max)
{
	char *end;
	unsigned long value;

	if (!isxdigit((unsigned char)text[0]))
		return 0;
	value = strtoul(text, &end, base);
	return *end || value > max ? 0 : value;
}

static int cluster_read(struct lun_conf *conf, const char *text, struct err *err)
{
	conf->cluster = strlen(text) <= 10 ? (uint32_t)number_read(text, 16, UINT32_MAX) : 0;
	if (conf->cluster)
		return 0;
	return err_set(err, RC_CONFIG,
		       "choose one number for the cluster and give it on every node",
		       "cluster=\"%.40s\" is not a number of 1 to 8 hexadecimal digits", text);
}

const struct lun_node *lun_conf_node_by_id(const struct lun_conf *conf, uint16_t id)
{
	for (size_t i = 0; i < conf->nodes_count; i++)
		if (conf->nodes[i].id == id)
			return &conf->nodes[i];
	return NULL;
}

const struct lun_node *lun_conf_node(const struct lun_conf *conf, const char *word)
{
	unsigned long id = number_read(word, 10, UINT16_MAX);

	for (size_t i = 0; i < conf->nodes_count; i++)
		if (strcmp(conf->nodes[i].name, word) == 0)
			return &conf->nodes[i];
	return id ? lun_conf_node_by_id(conf, (uint16_t)id) : NULL;
}

/* "alpha:1" */
static int node_read(struct lun_conf *conf, const char *text, size_t length, struct err *err)
{
	struct lun_node *node = &conf->nodes[conf->nodes_count];
	char copy[LUN_NODE_NAME_BYTES + 8], *colon;
	unsigned long id = 0;

	if (conf->nodes_count == LUN_NODES_MAX)
		return err_set(err, RC_CONFIG, NULL, "nodes= names more than %d nodes",
			       LUN_NODES_MAX);
	snprintf(copy, sizeof copy, "%.*s", (int)(length < sizeof copy ? length : sizeof copy - 1),
		 text);
	colon = strrchr(copy, ':');
	if (colon) {
		*colon = '\0';
		id = number_read(colon + 1, 10, UINT16_MAX);
	}
	if (id == 0 || copy[0] == '\0' || strlen(copy) >= sizeof node->name)
		return err_set(err, RC_CONFIG, "write nodes=alpha:1,beta:2",
			       "nodes= has \"%.*s\", which is not NAME:NUMBER with a number of 1 "
			       "to 65535",
			       length < 100 ? (int)length : 100, text);
	/* A name that reads like a number would be two plugs. */
	if (number_read(copy, 10, UINT16_MAX))
		return err_set(err, RC_CONFIG, "give the node a name",
			       "nodes= calls a node \"%.40s\", which is a number", copy);
	if (lun_conf_node(conf, copy) || lun_conf_node_by_id(conf, (uint16_t)id))
		return err_set(err, RC_CONFIG, "every node has its own name and number",
			       "nodes= has \"%.100s\" or number %lu twice", copy, id);
	snprintf(node->name, sizeof node->name, "%.255s", copy);
	node->id = (uint16_t)id;
	conf->nodes_count++;
	return 0;
}

static int nodes_read(struct lun_conf *conf, const char *text, struct err *err)
{
	while (*(text += strspn(text, SEPARATORS))) {
		size_t length = strcspn(text, SEPARATORS);
		int rc = node_read(conf, text, length, err);

		if (rc)
			return rc;
		text += length;
	}
	return conf->nodes_count
		       ? 0
		       : err_set(err, RC_CONFIG, "write nodes=alpha:1,beta:2", "nodes= is empty");
}

static int url_add(struct lun_conf *conf, const char *url, unsigned group, struct err *err)
{
	for (size_t i = 0; i < conf->urls_count; i++)
		if (strcmp(conf->urls[i], url) == 0)
			return err_set(err, RC_CONFIG, "name each path once",
				       "devices= names a path twice, as number %zu and %zu", i + 1,
				       conf->urls_count + 1);
	if (!*url)
		return err_set(err, RC_CONFIG, NULL,
			       "devices= has nothing beside a \"|\", after %zu paths",
			       conf->urls_count);
	if (conf->urls_count == LUN_PATHS_MAX)
		return err_set(err, RC_CONFIG, NULL, "devices= names more than %d paths",
			       LUN_PATHS_MAX);
	conf->urls[conf->urls_count] = url;
	conf->groups[conf->urls_count++] = group;
	return 0;
}

static int devices_read(struct lun_conf *conf, const char *text, struct err *err)
{
	char *rest, *unit, *path;
	unsigned group = 0;
	int rc = 0;

	conf->devices = strdup(text);
	if (!conf->devices)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	conf->devices_bytes = strlen(text);
	rest = conf->devices;
	while (rc == 0 && (unit = strtok_r(rest, SEPARATORS, &rest))) {
		while (rc == 0 && (path = strsep(&unit, "|")))
			rc = url_add(conf, path, group, err);
		group++;
	}
	if (rc == 0 && conf->urls_count == 0)
		return err_set(err, RC_CONFIG, "name at least one disk", "devices= is empty");
	return rc;
}

int lun_conf_parse(struct lun_conf *conf, const char *cluster, const char *nodes,
		   const char *devices, struct err *err)
{
	int rc;

	*conf = (struct lun_conf){ 0 };
	rc = cluster_read(conf, cluster, err);
	if (rc == 0)
		rc = nodes_read(conf, nodes, err);
	return rc ? rc : devices_read(conf, devices, err);
}

void lun_conf_free(struct lun_conf *conf)
{
	free(conf->devices);
	conf->devices = NULL;
}
