/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * behaviour.h - what a SET does to a simulated device: which object is a control, what its values
 * mean, which other objects follow, and when.
 *
 * Used by tests/agents/snmp_device.c. The rules come from tests/agents/behaviours/NAME.conf, which are
 * written from MIBs and walks, never from our own device profiles. Lines of such a file:
 *
 *	row OID|TYPE|VALUE		an object to serve unless the walk has it
 *	rows TEMPLATE VALUE for TEMPLATE
 *					an integer object for each object of the walk that fits the second
 *					template, unless the walk has it
 *	control TEMPLATE		objects that take a SET; what follows belongs to them:
 *	set VALUE on|off|cycle|keep	   a value they take, and what the device then does (keep: only
 *					   remember it)
 *	status TEMPLATE ON OFF [TURNING-ON TURNING-OFF]
 *					   objects that show the state
 *	pending TEMPLATE BUSY IDLE	   objects that show whether a command is being carried out
 *	csv TEMPLATE			objects that take a SET of a text such as "1,0,1", of as many
 *					fields as before, and read it back
 *
 * A template is a name whose parts are numbers, letters that stand for an index ("N", "N+1"), and *
 * for anything. The same letter is the same index in all templates of a control. Of several
 * controls that an object fits, the first counts. A control object changes only when a status line
 * names it too.
 */
#ifndef TESTS_SNMP_BEHAVIOUR_H
#define TESTS_SNMP_BEHAVIOUR_H

#include <stdint.h>
#include <stdio.h>

#include "tests/agents/snmp/walk.h"

struct faults {
	int ignore;	     /* acknowledge a SET and do nothing */
	int pending_forever; /* begin to obey and never finish */
	int refuse;	     /* SNMP_ERR_... for every SET, 0 for none */
	long slow_ms;	     /* from a SET to its effect */
	long cycle_ms;	     /* a cycled outlet stays off that long */
};

struct behaviour;

/* `walk` gets the rows that the file adds; `log` may be NULL. */
struct behaviour *behaviour_load(const char *path, struct walk *walk, const struct faults *faults,
				 FILE *log, const char *device);

/* May this be set? Returns SNMP_ERR_NOERROR or what to answer. */
int behaviour_check(struct behaviour *b, const netsnmp_variable_list *var);

/* Do it, after a check that said yes. */
void behaviour_set(struct behaviour *b, const netsnmp_variable_list *var, int64_t now_ms);

/* Let happen what is due by now. */
void behaviour_tick(struct behaviour *b, int64_t now_ms);

/* Fault: every object that shows a state reads -1, as where the hardware does not answer. */
void behaviour_lose_states(struct behaviour *b);

/* Write the rows that show state, as .snmprec lines, for a restarted device to begin with. What is
 * scheduled is done: the outlets of a real device do not wait for its network card. */
void behaviour_save(struct behaviour *b, FILE *file);

void behaviour_free(struct behaviour *b);

#endif
