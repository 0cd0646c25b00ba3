/* What stdout can show: terminal or not, colours, UTF-8 and columns. */
#ifndef FMD_BASE_SYSTEM_TERMINAL_H
#define FMD_BASE_SYSTEM_TERMINAL_H

#include <stdbool.h>

typedef enum fmd_colour {
    FMD_COLOUR_NONE, /* no terminal that moves its cursor, or NO_COLOR (https://no-color.org) */
    FMD_COLOUR_16,
    FMD_COLOUR_256,
    FMD_COLOUR_TRUE,
} fmd_colour;

typedef struct fmd_terminal {
    bool terminal;     /* one that is not dumb: its cursor can be moved */
    fmd_colour colour; /* with CLICOLOR_FORCE also where it is no terminal */
    bool utf8;         /* the encoding of the locale */
    int columns;       /* 0: not known; of no terminal, as many as one likes */
} fmd_terminal;

/* Local. Looks behind Open MPI's mpirun, which gives every rank a terminal for stdout, also where
 * its own goes into a file. */
fmd_terminal fmd_terminal_of_stdout(void);

/* Local. Whether the locale's encoding is UTF-8 by its name: the locale need not be installed. */
bool fmd_is_utf8(void);

/* Local. Prints the sequence for an SGR code such as "1;36"; nothing without colours. */
void fmd_print_style(const fmd_terminal *t, const char *code);

#endif
