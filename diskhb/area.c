/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * area.c - judging a superblock; see area.h.
 */
#include "diskhb/area.h"

#include <inttypes.h>
#include <string.h>

static int super_refuse(enum record_verdict verdict, const struct super_record *super,
			const char *name, struct err *err)
{
	switch (verdict) {
	case RECORD_EMPTY:
	case RECORD_FOREIGN:
		return err_set(err, RC_CONFIG, "check the name; holdfast disk init prepares a disk",
			       "%s: not a disk of Holdfast", name);
	case RECORD_NEWER:
		return err_set(err, RC_CONFIG, "use the holdfast of the node that prepared it",
			       "%s: of format version %u%s, this program knows version %d", name,
			       super->head.version,
			       super->head.version <= RECORD_VERSION ? " with unknown features"
								     : "",
			       RECORD_VERSION);
	default:
		return err_set(err, RC_CONFIG,
			       "find out who wrote to it; holdfast disk init --force begins anew",
			       "%s: the superblock is %s", name, record_verdict_text(verdict));
	}
}

int area_read(struct hb_area *area, const uint8_t block[RECORD_BYTES], const char *name,
	      uint32_t sector_bytes, uint64_t sectors, struct err *err)
{
	enum record_verdict verdict;

	memset(area, 0, sizeof *area);
	memcpy(area->block, block, RECORD_BYTES);
	verdict = super_in(block, &area->super, &area->layout);
	if (verdict != RECORD_OK)
		return super_refuse(verdict, &area->super, name, err);
	if (sector_bytes != area->layout.sector_bytes)
		return err_set(err, RC_CONFIG, "reach it by the path that it was prepared by",
			       "%s: prepared for sectors of %u bytes, but opened with %u", name,
			       area->layout.sector_bytes, sector_bytes);
	if (sectors < area->layout.end / sector_bytes)
		return err_set(err, RC_CONFIG, "find out who cut it; restore its size",
			       "%s: has %" PRIu64 " bytes, its records take %" PRIu64, name,
			       sectors * sector_bytes, area->layout.end);
	return 0;
}

static int pair_check(const struct hb_area *a, const struct hb_area *b, const char *name_a,
		      const char *name_b, struct err *err)
{
	const struct super_record *x = &a->super, *y = &b->super;

	if (x->head.cluster != y->head.cluster)
		return err_set(err, RC_CONFIG, "name the disks of one cluster",
			       "%s is of cluster \"%s\" (%016" PRIx64 "), %s of \"%s\" (%016" PRIx64
			       ")",
			       name_a, x->cluster_name, x->head.cluster, name_b, y->cluster_name,
			       y->head.cluster);
	if (x->disk_index == y->disk_index)
		return err_set(err, RC_CONFIG, "name each disk once",
			       "%s and %s are both disk %u of cluster \"%s\"", name_a, name_b,
			       x->disk_index, x->cluster_name);
	if (x->nodes_max != y->nodes_max || x->disks_count != y->disks_count ||
	    x->claim_window_ms != y->claim_window_ms || x->locks_max != y->locks_max ||
	    x->arbiter != y->arbiter)
		return err_set(err, RC_CONFIG, "holdfast disk init --force prepares them together",
			       "%s and %s were prepared differently (%u and %u nodes, %u and %u "
			       "disks, %u and %u locks, arbiters %s and %s)",
			       name_a, name_b, x->nodes_max, y->nodes_max, x->disks_count,
			       y->disks_count, x->locks_max, y->locks_max,
			       super_arbiter_word(x->arbiter), super_arbiter_word(y->arbiter));
	return 0;
}

int area_set_check(const struct hb_area *const *areas, const char *const *names, size_t count,
		   int partial, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++) {
			int rc = pair_check(areas[j], areas[i], names[j], names[i], err);

			if (rc)
				return rc;
		}
	if (!partial && count != areas[0]->super.disks_count)
		return err_set(err, RC_CONFIG, "name all of them",
			       "cluster \"%s\" has %u disks, %zu given",
			       areas[0]->super.cluster_name, areas[0]->super.disks_count, count);
	return 0;
}
