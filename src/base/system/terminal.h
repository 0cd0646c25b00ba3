/* Capabilities of stdout: terminal, colours, UTF-8 and columns. */
#ifndef FMD_BASE_SYSTEM_TERMINAL_H
#define FMD_BASE_SYSTEM_TERMINAL_H

#include <stdbool.h>

typedef enum fmd_colour {
    FMD_COLOUR_NONE, /* no terminal, a dumb terminal, or NO_COLOR (https://no-color.org) */
    FMD_COLOUR_16,
    FMD_COLOUR_256,
    FMD_COLOUR_TRUE,
} fmd_colour;

typedef struct fmd_terminal {
    bool terminal;     /* a terminal with a movable cursor (not "dumb") */
    fmd_colour colour; /* with CLICOLOR_FORCE also without a terminal */
    bool utf8;         /* the encoding of the locale */
    int columns;       /* 0: unknown, or no terminal and so no limit */
} fmd_terminal;

/* Local. Detects the terminal behind Open MPI's mpirun, which gives every rank a terminal as stdout
 * even if its own stdout is a file. */
fmd_terminal fmd_terminal_of_stdout(void);

/* Local. Whether the name of the locale says UTF-8; the locale need not be installed. */
bool fmd_is_utf8(void);

/* Local. Prints the escape sequence of an SGR code, e.g. "1;36"; nothing without colours. */
void fmd_print_style(const fmd_terminal *t, const char *code);

#endif
