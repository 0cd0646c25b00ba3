#include "report/html_chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* In units of the SVG, which are pixels where there is room. */
enum { WIDTH = 480, HEIGHT = 274, LEFT = 52, RIGHT = 14, TOP = 34, BOTTOM = 48, MOST_POINTS = 60 };

static const char *const colours[FMD_CHART_SERIES] = {"one", "two", "three", "four",
                                                      "one", "two", "three", "four"};
static const char *const dashes[FMD_CHART_SERIES] = {"none", "7 4",  "2 3",     "9 3 2 3",
                                                     "4 4",  "none", "9 3 2 3", "2 3"};
/* Lines, and letters of their names, that have room above the chart. */
enum { MOST_ABOVE = 2, MOST_LETTERS = 14 };

/* An axis: from `low` to `high`, both multiples of `step`, over `pixels` from `start`. */
typedef struct axis {
    double low, high, step, start, pixels;
} axis;

/* Rounded up to 1, 2 or 5 times a power of ten. */
static double round_up(double rough)
{
    const double power = pow(10, floor(log10(rough))), digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

/* An axis of values, widened to whole steps. */
static axis value_axis(double low, double high)
{
    if (!(high > low))
        high = low + fmax(fabs(low) * 0.1, 1e-6);
    const double step = round_up((high - low) / 5);
    return (axis){.low = floor(low / step) * step,
                  .high = ceil(high / step) * step,
                  .step = step,
                  .start = HEIGHT - BOTTOM,
                  .pixels = -(HEIGHT - TOP - BOTTOM)};
}

/* An axis of whole numbers such as epochs, from the first to the last. */
static axis count_axis(double low, double high)
{
    high = high > low ? high : low + 1;
    return (axis){.low = low,
                  .high = high,
                  .step = fmax(1, round_up((high - low) / 14)),
                  .start = LEFT,
                  .pixels = WIDTH - LEFT - RIGHT};
}

static double place(const axis *a, double value)
{
    return a->start + (value - a->low) / (a->high - a->low) * a->pixels;
}

static void put_y_axis(fmd_html *h, const axis *y)
{
    const int digits = y->step >= 1 ? 0 : (int)ceil(-log10(y->step) - 1e-9);
    for (int i = 0; i <= (int)rint((y->high - y->low) / y->step); i++) {
        const double value = y->low + i * y->step, at = place(y, value);
        fmd_html_markup(h, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, at, WIDTH - RIGHT);
        fmd_html_markup(h, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>\n", LEFT - 7,
                        at + 4, digits, value);
    }
}

static void put_x_axis(fmd_html *h, const axis *x, const char *name)
{
    fmd_html_markup(h, "<path class=\"axis\" d=\"M%d %dH%d\"/>", LEFT, HEIGHT - BOTTOM,
                    WIDTH - RIGHT);
    /* The first number, then multiples of the step. */
    double value = x->low;
    while (value <= x->high) {
        fmd_html_markup(h, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                        place(x, value), HEIGHT - BOTTOM + 17, value);
        value = (floor(value / x->step) + 1) * x->step;
    }
    fmd_html_markup(h, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH) / 2,
                    HEIGHT - 6);
    fmd_html_text(h, "%s", name);
    fmd_html_markup(h, "</text>\n");
}

/* A circle for even lines, a square for odd ones; its title is the tooltip. */
static void put_point(fmd_html *h, size_t line, double x, double y, const char *title)
{
    if (line % 2 == 0)
        fmd_html_markup(h, "<circle class=\"fill\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.4\">", x, y);
    else
        fmd_html_markup(h,
                        "<rect class=\"fill\" x=\"%.1f\" y=\"%.1f\" width=\"6.4\" height=\"6.4\">",
                        x - 3.2, y - 3.2);
    if (*title != '\0') {
        fmd_html_markup(h, "<title>");
        fmd_html_text(h, "%s", title);
        fmd_html_markup(h, "</title>");
    }
    fmd_html_markup(h, line % 2 == 0 ? "</circle>" : "</rect>");
}

static void put_line(fmd_html *h, const fmd_chart *c, size_t line, const axis *x, const axis *y)
{
    const double *values = c->series[line].y;
    fmd_html_markup(h, "<g class=\"%s\"><path class=\"stroke\" stroke-dasharray=\"%s\" d=\"",
                    colours[line], dashes[line]);
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(values[i]))
            fmd_html_markup(h, "%s%.1f %.1f", i > 0 && isfinite(values[i - 1]) ? "L" : "M",
                            place(x, c->x[i]), place(y, values[i]));
    fmd_html_markup(h, "\"/>\n");
    for (size_t i = 0; c->n <= MOST_POINTS && i < c->n; i++) {
        char title[160];
        snprintf(title, sizeof title, "%s %g: %s %.4f", c->x_name, c->x[i], c->series[line].name,
                 values[i]);
        if (isfinite(values[i]))
            put_point(h, line, place(x, c->x[i]), place(y, values[i]), title);
    }
    fmd_html_markup(h, "</g>\n");
}

/* One key, above the lines: a piece of each line with its point and its name. */
static void put_key(fmd_html *h, const fmd_chart *c)
{
    int at = LEFT;
    for (size_t i = 0; i < c->n_series; i++) {
        fmd_html_markup(
            h, "<g class=\"%s\"><path class=\"stroke\" stroke-dasharray=\"%s\" d=\"M%d 14h30\"/>",
            colours[i], dashes[i], at);
        put_point(h, i, at + 15, 14, "");
        fmd_html_markup(h, "</g><text x=\"%d\" y=\"18\">", at + 37);
        fmd_html_text(h, "%s", c->series[i].name);
        fmd_html_markup(h, "</text>\n");
        at += 145;
    }
}

static bool fits_above(const fmd_chart *c)
{
    bool fits = c->n_series <= MOST_ABOVE;
    for (size_t i = 0; i < c->n_series; i++)
        fits = fits && strlen(c->series[i].name) <= MOST_LETTERS;
    return fits;
}

/* The key of many lines, or of lines with long names, below the chart. */
static void put_long_key(fmd_html *h, const fmd_chart *c)
{
    fmd_html_markup(h, "<ul class=\"legend\">\n");
    for (size_t i = 0; i < c->n_series; i++) {
        fmd_html_markup(h,
                        "<li><svg aria-hidden=\"true\" role=\"img\" viewBox=\"0 0 34 12\" "
                        "width=\"34\" height=\"12\"><g class=\"%s\"><path class=\"stroke\" "
                        "stroke-dasharray=\"%s\" d=\"M1 6h32\"/>",
                        colours[i], dashes[i]);
        put_point(h, i, 17, 6, "");
        fmd_html_markup(h, "</g></svg> ");
        fmd_html_text(h, "%s", c->series[i].name);
        fmd_html_markup(h, "</li>\n");
    }
    fmd_html_markup(h, "</ul>\n");
}

/* A description for screen readers: where each line begins and ends. */
static void put_words(fmd_html *h, const fmd_chart *c)
{
    fmd_html_markup(h, "<title id=\"%s-title\">", c->id);
    fmd_html_text(h, "%s", c->title);
    fmd_html_markup(h, "</title><desc id=\"%s-words\">", c->id);
    for (size_t k = 0; k < c->n_series; k++) {
        const double first = c->series[k].y[0], last = c->series[k].y[c->n - 1];
        if (isfinite(first) && isfinite(last))
            fmd_html_text(h, "%s: from %.4g to %.4g. ", c->series[k].name, first, last);
    }
    fmd_html_markup(h, "</desc>\n");
}

void fmd_html_chart(fmd_html *h, const fmd_chart *c)
{
    double low = (double)INFINITY, high = -low;
    for (size_t k = 0; k < c->n_series; k++)
        for (size_t i = 0; i < c->n; i++)
            if (isfinite(c->series[k].y[i])) {
                low = fmin(low, c->series[k].y[i]);
                high = fmax(high, c->series[k].y[i]);
            }
    if (!isfinite(low))
        return;
    const axis x = count_axis(c->x[0], c->x[c->n - 1]), y = value_axis(low, high);
    fmd_html_markup(h, "<figure><h3>");
    fmd_html_text(h, "%s", c->title);
    fmd_html_markup(h,
                    "</h3><svg id=\"%s\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
                    "role=\"img\" aria-labelledby=\"%s-title %s-words\">\n",
                    c->id, WIDTH, HEIGHT, WIDTH, HEIGHT, c->id, c->id);
    put_words(h, c);
    put_y_axis(h, &y);
    put_x_axis(h, &x, c->x_name);
    if (isfinite(c->mark))
        fmd_html_markup(h, "<path class=\"mark\" d=\"M%.1f %dV%d\"/>\n", place(&x, c->mark), TOP,
                        HEIGHT - BOTTOM);
    for (size_t k = 0; k < c->n_series; k++)
        put_line(h, c, k, &x, &y);
    if (fits_above(c))
        put_key(h, c);
    fmd_html_markup(h, "</svg>");
    if (!fits_above(c))
        put_long_key(h, c);
    fmd_html_markup(h, "<figcaption>");
    fmd_html_text(h, "%s", c->caption);
    fmd_html_markup(h, "</figcaption></figure>\n");
}

void fmd_html_bars(fmd_html *h, const char *caption, const fmd_bar *bars, size_t n)
{
    fmd_html_markup(h, "<table class=\"bars\"><caption>");
    fmd_html_text(h, "%s", caption);
    fmd_html_markup(h,
                    "</caption><colgroup><col class=\"name\"><col><col class=\"value\"></colgroup>"
                    "<tbody>\n");
    for (size_t i = 0; i < n; i++) {
        const double share = fmin(fmax(bars[i].share, 0), 1);
        fmd_html_markup(h, "<tr><th scope=\"row\">");
        fmd_html_text(h, "%s", bars[i].name);
        fmd_html_markup(
            h,
            "</th><td class=\"track\"><span class=\"bar fill %s\" style=\"width:%.2f%%\">"
            "</span></td><td class=\"n\">",
            bars[i].colour, 100 * share);
        fmd_html_text(h, "%s", bars[i].text);
        fmd_html_markup(h, "</td></tr>\n");
    }
    fmd_html_markup(h, "</tbody></table>\n");
}
