#include "base/system/keyboard.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The original terminal settings, for the signal handler. */
static volatile sig_atomic_t changed;
static struct termios before;

void fmd_keyboard_close(void)
{
    if (changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    changed = 0;
}

/* The signal has its default action again. */
static void leave(int number)
{
    fmd_keyboard_close();
    raise(number);
}

/* Repeated for each key: a shell changes the terminal while this process is stopped. */
static bool enter(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    const struct sigaction ours = {.sa_handler = leave, .sa_flags = SA_RESETHAND};
    struct sigaction present;
    if (isatty(STDIN_FILENO) != 1 || tcgetpgrp(STDIN_FILENO) != getpgrp())
        return false;
    if (!changed && tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &present) == 0 && present.sa_handler == SIG_DFL)
            sigaction(signals[i], &ours, NULL);
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    changed = 1;
    return tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
}

int fmd_keyboard_wait(double seconds)
{
    const struct timespec time = {.tv_sec = (time_t)seconds,
                                  .tv_nsec = (long)(fmod(seconds, 1) * 1e9)};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char key = 0;
    const bool there = enter();
    const bool gone =
        there && ppoll(&input, 1, &time, NULL) == 1 && read(STDIN_FILENO, &key, 1) != 1;
    if (!there || gone)
        nanosleep(&time, NULL);
    return key;
}
