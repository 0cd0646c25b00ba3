/* The manual page. */
#ifndef FMD_CLI_MANUAL_H
#define FMD_CLI_MANUAL_H

/* Local. Prints the manual page of the program, fmnist-dist.1, for man. */
void fmd_help_manual(void);

#endif
