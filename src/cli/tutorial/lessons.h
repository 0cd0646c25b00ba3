/* The lessons of the Keras tutorial: what to run, and what to see in it. */
#ifndef FMD_CLI_TUTORIAL_LESSONS_H
#define FMD_CLI_TUTORIAL_LESSONS_H

#include <stdbool.h>

enum { FMD_LESSON_COMMANDS = 3, FMD_LESSON_ROWS = 4 };

/* A line of the comparison. `here` may have the values of a training in braces: {loss}, {2:loss} of
 * the second command; the names are in cmd_tutorial.c. */
typedef struct fmd_lesson_row {
    const char *what, *here, *tutorial;
} fmd_lesson_row;

typedef struct fmd_lesson {
    const char *name, *title;
    const char *keras; /* what one writes there */
    const char *text;  /* what it is about */
    /* Commands of this program; the word RUN is the folder of the tutorial's own training. */
    const char *commands[FMD_LESSON_COMMANDS];
    bool fails; /* on purpose */
    fmd_lesson_row rows[FMD_LESSON_ROWS];
    const char *look; /* what to see in it; NULL: the rows say it */
} fmd_lesson;

extern const fmd_lesson fmd_lessons[];
extern const int fmd_lessons_length;

#endif
