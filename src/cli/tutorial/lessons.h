/* The lessons of the Keras tutorial: the commands, and the results to compare. */
#ifndef FMD_CLI_TUTORIAL_LESSONS_H
#define FMD_CLI_TUTORIAL_LESSONS_H

#include <stdbool.h>

enum { FMD_LESSON_COMMANDS = 3, FMD_LESSON_ROWS = 4 };

/* A line of the comparison. `here` may name values of the training in braces, {loss}, or of the second
 * or third command, {2:loss}; cmd_tutorial.c has the names. */
typedef struct fmd_lesson_row {
    const char *what, *here, *tutorial;
} fmd_lesson_row;

typedef struct fmd_lesson {
    const char *name, *title;
    const char *keras; /* the code in the notebook */
    const char *text;  /* the subject */
    /* Arguments of this program; the word RUN stands for the folder of the tutorial's training. */
    const char *commands[FMD_LESSON_COMMANDS];
    bool fails; /* an error is the lesson */
    fmd_lesson_row rows[FMD_LESSON_ROWS];
    const char *look; /* a comment on the result, or NULL */
} fmd_lesson;

extern const fmd_lesson fmd_lessons[];
extern const int fmd_lessons_length;

#endif
