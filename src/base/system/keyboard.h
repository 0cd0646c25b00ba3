/* Reads single keys from a terminal on stdin, without Enter and without echo. */
#ifndef FMD_BASE_SYSTEM_KEYBOARD_H
#define FMD_BASE_SYSTEM_KEYBOARD_H

/* Local. Waits up to `seconds` for a key and returns it; 0: no key, or stdin is no terminal that
 * this process may read. Signals that end or stop the process restore the terminal first. */
int fmd_keyboard_wait(double seconds);

/* Local. Restores the terminal. */
void fmd_keyboard_close(void);

#endif
