/* cmocka, after the headers that it requires. */
#ifndef FMD_TEST_H
#define FMD_TEST_H

#include "fmd/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The call succeeds; otherwise its message is shown. */
#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        fmd_status assert_ok_status = (expr);                                                      \
        if (assert_ok_status != FMD_OK)                                                            \
            fail_msg("%s: status %d: %s", #expr, (int)assert_ok_status, fmd_error_message());      \
    } while (0)

/* The call fails with this status and exactly this message. */
#define assert_fails(expr, status, message)                                                        \
    do {                                                                                           \
        assert_int_equal((expr), (status));                                                        \
        assert_string_equal(fmd_error_message(), (message));                                       \
    } while (0)

#endif
