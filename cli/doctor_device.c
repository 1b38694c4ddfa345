/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor_device.c - the device behind a path: identity, sectors, what stands between a write and the
 * medium; see doctor.h.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "host/clock.h"
#include "host/disk/scsi_block.h"
#include "host/nexus.h"
#include "lockd/pr_client_io.h"

enum {
	MODE_SENSE_6 = 0x1a, /* SPC-4, 6.11 */
	MODE_BYTES = 252,
	PAGE_ALL = 0x3f,
	ATTENTIONS_MAX = 16,
	SIZE_BYTES = 24,
};

/* ---- identity ---- */

static void identity_tell(struct doctor *doctor, const struct disk_facts *facts)
{
	json_t *members = json_object();
	char make[64];

	snprintf(make, sizeof make, "%s%s%s%s%s%s", facts->vendor[0] ? ", " : "", facts->vendor,
		 facts->vendor[0] ? " " : "", facts->product, facts->product[0] ? " " : "",
		 facts->revision);
	object_put_text(&doctor->out, members, "id", facts->id);
	object_put_text(&doctor->out, members, "vendor", facts->vendor);
	object_put_text(&doctor->out, members, "product", facts->product);
	object_put_text(&doctor->out, members, "revision", facts->revision);
	if (strncmp(facts->id, "file.", 5) == 0)
		doctor_find(doctor, "identity", DOCTOR_NOTE, members,
			    "fit for trying things out on one machine",
			    "%s: a plain file, shared only as far as its file system is",
			    facts->id);
	else if (strncmp(facts->id, "serial.", 7) == 0)
		doctor_find(doctor, "identity", DOCTOR_NOTE, members,
			    "see that no other unit of the target has the same",
			    "%s%s: by its serial number, for it has no designator (VPD page 83h)",
			    facts->id, make);
	else if (!facts->has_scsi)
		doctor_find(doctor, "identity", DOCTOR_NOTE, members, NULL,
			    "%s: of this machine's kernel; no SCSI disk, so another node cannot "
			    "compare it",
			    facts->id);
	else
		doctor_find(doctor, "identity", DOCTOR_GOOD, members, NULL, "%s%s (VPD page 83h)",
			    facts->id, make);
}

/* ---- sectors, direct I/O ---- */

static const char *size_text(uint64_t bytes, char text[SIZE_BYTES])
{
	static const char units[] = "BKMGTPE";
	unsigned unit = 0;

	while (bytes >= 10240 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(text, SIZE_BYTES, "%u bytes", (unsigned)bytes);
	else
		snprintf(text, SIZE_BYTES, "%u %ciB", (unsigned)bytes, units[unit]);
	return text;
}

static void sectors_tell(struct doctor *doctor, const struct disk_facts *facts)
{
	json_t *members = json_object();
	char size[SIZE_BYTES];

	size_text(facts->sectors * facts->sector_bytes, size);
	object_put_integer(&doctor->out, members, "sector_bytes", facts->sector_bytes);
	object_put_integer(&doctor->out, members, "physical_bytes", facts->physical_bytes);
	object_put_integer(&doctor->out, members, "sectors", (long long)facts->sectors);
	if (facts->sector_bytes != 512 && facts->sector_bytes != 4096)
		doctor_find(doctor, "sectors", DOCTOR_UNFIT, members, "use another disk",
			    "%u bytes; expected 512 or 4096", facts->sector_bytes);
	else if (facts->physical_bytes > facts->sector_bytes)
		doctor_find(
			doctor, "sectors", DOCTOR_NOTE, members, NULL,
			"%u bytes, %s; the device writes %u at once, so a loss of its power may "
			"damage neighbours",
			facts->sector_bytes, size, facts->physical_bytes);
	else
		doctor_find(doctor, "sectors", DOCTOR_GOOD, members, NULL, "%u bytes, %s",
			    facts->sector_bytes, size);
}

static void direct_tell(struct doctor *doctor, const struct disk_facts *facts)
{
	if (facts->is_read_only)
		doctor_find(doctor, "access", DOCTOR_UNFIT, NULL, "make it writable", "read-only");
	if (facts->is_direct)
		doctor_find(doctor, "direct I/O", DOCTOR_GOOD, NULL, NULL,
			    "yes: no cache of this machine stands in between");
	else
		doctor_find(doctor, "direct I/O", DOCTOR_DOUBT, NULL,
			    "use a block device, or a file system with O_DIRECT",
			    "no: reads may come out of this machine's memory");
}

/* ---- the cache of the device ---- */

enum cache { CACHE_UNKNOWN, CACHE_OFF, CACHE_ON };

static enum cache cache_by_mode(struct doctor *doctor, int *has_fua)
{
	const uint8_t cdb[6] = { MODE_SENSE_6, 0, PAGE_ALL, 0, MODE_BYTES, 0 };
	const struct pr_client_options options = {
		.disk = { .nexus = (uint8_t)(NEXUS_DOCTOR + getpid() % NEXUS_DOCTOR_COUNT),
			  .open_timeout_ms = doctor_request_ms(doctor) },
		.timeout_ms = doctor_request_ms(doctor),
		.attentions_max = ATTENTIONS_MAX,
	};
	struct pr_client_answer *answer = calloc(1, sizeof *answer);
	enum cache cache = CACHE_UNKNOWN;
	struct pr_client *client;
	int is_protected, has_cache;
	struct err err;

	if (!answer)
		abort();
	if (pr_client_open(doctor->at_hand->url, &options, &client, &err) == 0) {
		pr_client_scsi(client, cdb, sizeof cdb, DISK_FROM_DEVICE, NULL, MODE_BYTES, answer);
		if (answer->reply.meaning == PR_MEANS_GOOD && answer->bytes >= 4) {
			scsi_mode_decode(answer->data, answer->bytes, &is_protected, has_fua,
					 &has_cache);
			cache = has_cache ? CACHE_ON : CACHE_OFF;
		}
		pr_client_close(client);
	}
	free(answer);
	return cache;
}

/* What the kernel believes of a block device: queue/write_cache of it, or of the disk that it is a
 * partition of. */
static enum cache cache_by_kernel(const char *url)
{
	static const char *const places[] = { "queue", "../queue" };
	enum cache cache = CACHE_UNKNOWN;
	struct stat status;

	if (stat(url, &status) != 0 || !S_ISBLK(status.st_mode))
		return CACHE_UNKNOWN;
	for (size_t i = 0; i < 2 && cache == CACHE_UNKNOWN; i++) {
		char path[96], text[32] = "";
		FILE *file;

		snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s/write_cache",
			 major(status.st_rdev), minor(status.st_rdev), places[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(text, sizeof text, file))
			cache = strncmp(text, "write back", 10) == 0 ? CACHE_ON : CACHE_OFF;
		fclose(file);
	}
	return cache;
}

static void cache_tell(struct doctor *doctor, const struct disk_facts *facts)
{
	static const char *const words[] = {
		[CACHE_UNKNOWN] = "unknown", [CACHE_OFF] = "off", [CACHE_ON] = "on"
	};
	struct session_disk *disk = doctor->at_hand->disk;
	json_t *members = json_object();
	enum cache cache;
	mono_t before;
	struct err err = { 0 };
	int has_fua = 0, rc;
	int64_t took_us;

	cache = facts->has_scsi ? cache_by_mode(doctor, &has_fua)
				: cache_by_kernel(doctor->at_hand->url);
	before = clock_now();
	rc = session_io(disk, DISK_FLUSH, 0, NULL, 0, &err);
	took_us = (clock_now().ns - before.ns) / 1000;
	object_put_text(&doctor->out, members, "write_cache", words[cache]);
	object_put_boolean(&doctor->out, members, "fua", has_fua);
	if (rc == 0)
		object_put_integer(&doctor->out, members, "flush_us", took_us);
	/* Among the commands that a reservation keeps out, as writes are (SBC-3, 4.17). */
	if (rc == RC_PRIVILEGE)
		doctor_find(doctor, "write cache", DOCTOR_NOTE, members, NULL,
			    "%s; not flushed: the disk is reserved", words[cache]);
	else if (rc)
		doctor_find(doctor, "write cache", DOCTOR_UNFIT, members, err.next, "%s; %s",
			    words[cache], err.text);
	else
		doctor_find(doctor, "write cache",
			    cache == CACHE_UNKNOWN ? DOCTOR_NOTE : DOCTOR_GOOD, members, NULL,
			    "%s%s; flushed in %lld.%03lld ms", words[cache],
			    cache != CACHE_ON ? ""
			    : has_fua	      ? ", written through (FUA)"
					      : ", flushed behind each write",
			    (long long)took_us / 1000, (long long)took_us % 1000);
}

void doctor_device(struct doctor *doctor)
{
	const struct disk_facts *facts = disk_facts(doctor->at_hand->disk->disk);

	doctor_progress(doctor, "%s: what it is", doctor_name(doctor->at_hand));
	identity_tell(doctor, facts);
	sectors_tell(doctor, facts);
	direct_tell(doctor, facts);
	cache_tell(doctor, facts);
}
