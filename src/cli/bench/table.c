#include "cli/bench/table.h"
#include "base/system/print.h"

#include <math.h>
#include <stdio.h>

void fmd_bench_table_head(const fmd_bench_table *t)
{
    if (t->json != NULL)
        return;
    putchar('#');
    if (t->label.key != NULL)
        fmd_print(" %-*s", t->label.width, t->label.head);
    for (size_t i = 0; i < t->n_columns; i++)
        fmd_print(" %*s", t->columns[i].width, t->columns[i].head);
    putchar('\n');
}

void fmd_bench_table_row(const fmd_bench_table *t, const char *label, const double *values)
{
    if (t->json != NULL) {
        fmd_json_row(t->json, t->name);
        if (t->label.key != NULL)
            fmd_json_text(t->json, t->name, t->label.key, label);
        for (size_t i = 0; i < t->n_columns; i++)
            fmd_json_real(t->json, t->name, t->columns[i].key, values[i]);
        return;
    }
    putchar(' ');
    if (t->label.key != NULL)
        fmd_print(" %-*s", t->label.width, label);
    for (size_t i = 0; i < t->n_columns; i++) {
        const fmd_bench_column *c = &t->columns[i];
        if (isnan(values[i]))
            fmd_print(" %*s", c->width, "-");
        else
            fmd_print(" %*.*f", c->width, c->decimals, values[i]);
    }
    putchar('\n');
}
