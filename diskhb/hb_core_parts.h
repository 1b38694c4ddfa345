/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_core_parts.h - what the files of the heartbeat's core share among themselves.
 *
 * Callers: hb_core*.c, nobody else.
 */
#ifndef HOLDFAST_HB_CORE_PARTS_H
#define HOLDFAST_HB_CORE_PARTS_H

#include "diskhb/hb_core.h"

/* No moment at all; before all others. */
#define MOMENT_NONE ((mono_t){ -1 })

static inline int moment_is(mono_t moment)
{
	return moment.ns >= 0;
}

/* hb_core.c */
struct hb_note *hb_note_add(struct hb_out *out, enum hb_note_kind kind, unsigned disk);
void hb_core_end(struct hb_core *core, struct hb_out *out, enum hb_note_kind kind, int64_t value);
mono_t hb_moment_of_quorum(const struct hb_core *core, const mono_t *moments);
mono_t hb_reads_of_quorum(const struct hb_core *core);
int hb_in_rounds(const struct hb_core *core);
struct hb_action *hb_request_add(struct hb_core *core, struct hb_out *out, enum hb_action_kind kind,
				 unsigned d, int64_t timeout_ms);
void hb_read_start(struct hb_core *core, struct hb_out *out, unsigned d);
void hb_slot_write(struct hb_core *core, struct hb_out *out, unsigned d);

/* hb_core_mail.c */
void hb_send(struct hb_core *core, const struct hb_event *event, struct hb_out *out);
void hb_letters_check(struct hb_core *core, struct hb_out *out, unsigned d,
		      const struct hb_view *view);
void hb_letters_hidden(struct hb_core *core, unsigned d);
void hb_letters_expire(struct hb_core *core, struct hb_out *out);
void hb_letter_acked(struct hb_core *core, struct hb_out *out, uint16_t from,
		     const struct hb_seen *seen);
void hb_letter_moot(struct hb_core *core, struct hb_out *out, uint16_t to);
void hb_pill_take(struct hb_core *core, struct hb_out *out, uint16_t from,
		  const struct hb_seen *seen);
void hb_die(struct hb_core *core, struct hb_out *out);
void hb_withdraw(struct hb_core *core, const struct hb_event *event, struct hb_out *out);
void hb_letters_inherit(struct hb_core *core);

/* hb_core_peer.c */
void hb_peer_look(struct hb_core *core, struct hb_out *out, unsigned d, uint16_t node,
		  const struct hb_seen *seen, int counts);
mono_t hb_peer_dead_at(const struct hb_core *core, const struct hb_peer *peer);
mono_t hb_peer_suspect_at(const struct hb_core *core, const struct hb_peer *peer);
void hb_peers_age(struct hb_core *core, struct hb_out *out);

/* hb_core_claim.c */
void hb_holder_look(struct hb_core *core, struct hb_disk *disk, const struct hb_seen *own);
void hb_claim_look(struct hb_core *core, struct hb_disk *disk, const struct hb_view *view);
void hb_inherit_look(struct hb_core *core, const struct hb_view *view);
void hb_claim_void(struct hb_core *core, struct hb_out *out, int rc);
void hb_claim_decide(struct hb_core *core, struct hb_out *out);
void hb_claim_written(struct hb_core *core, struct hb_out *out, unsigned d, int rc,
		      mono_t ended_at);
void hb_check_decide(struct hb_core *core, struct hb_out *out);
void hb_check_start(struct hb_core *core, struct hb_out *out);
void hb_check_read(struct hb_core *core, struct hb_out *out, unsigned d,
		   const struct hb_view *view);

#endif
