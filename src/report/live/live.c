#include "report/live/live.h"

#include "base/format.h"
#include "base/mem.h"
#include "live_files.h"
#include "math/bf16/bf16.h"
#include "nn/activations/activation.h"

#include <stdlib.h>
#include <string.h>

/* A browser needs the weights as text and as numbers. */
static const size_t most_bytes = (size_t)128 << 20;

enum { MOST_EXAMPLES = 12, MOST_MEASURED = 500, INK = 32 };

/* The script is in the page, the worker in a blob of it; `connect-src`: the server of the page. */
static const char policy[] = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
                             "script-src 'unsafe-inline'; worker-src blob:; child-src blob:; "
                             "connect-src 'self'; base-uri 'none'; form-action 'none'";

static void append_shape(fmd_json *j, const char *key, fmd_shape s)
{
    for (int i = 0; i < s.rank; i++)
        fmd_json_append_int(j, NULL, key, s.dim[i]);
}

/* A layer: type, inputs, shape of the output, activation, arguments as text, and where in the weights
 * its tensors lie. */
static fmd_status add_layer(fmd_json *j, const fmd_model *m, const fmd_layer *l)
{
    char text[FMD_OPTION_TEXT_BYTES];
    fmd_json *one, *tensors;
    FMD_TRY(fmd_json_create(&one));
    fmd_status st = fmd_json_create(&tensors);
    if (st != FMD_OK) {
        fmd_json_destroy(one);
        return st;
    }
    fmd_json_text(one, NULL, "type", l->ops->name);
    for (int i = 0; i < l->n_inputs; i++)
        fmd_json_append_int(one, NULL, "inputs", l->inputs[i]);
    append_shape(one, "shape", l->out);
    if (l->activation != NULL)
        fmd_json_text(one, NULL, "activation", l->activation->name);
    for (size_t i = 0; i < l->ops->n_args; i++)
        fmd_json_text(one, "args", l->ops->args[i].name,
                      fmd_option_text(&l->ops->args[i], l->args, text));
    const size_t n = fmd_layer_n_variables(l);
    for (size_t i = 0; i < n; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, fmd_layer_variable(l, i));
        fmd_json_append_int(tensors, NULL, t->name, (long long)t->offset);
        fmd_json_append_int(tensors, NULL, t->name, (long long)t->count);
    }
    if (n > 0)
        fmd_json_attach(one, "tensors", tensors);
    fmd_json_append_object(j, "layers", one);
    fmd_json_destroy(tensors);
    fmd_json_destroy(one);
    return FMD_OK;
}

static const uint8_t *image_of(const fmd_split *s, size_t i, size_t bytes)
{
    return s->images + (s->index != NULL ? s->index[i] : i) * bytes;
}

static uint8_t label_of(const fmd_split *s, size_t i)
{
    return s->labels[s->index != NULL ? s->index[i] : i];
}

/* The first image of each class. */
static fmd_status add_examples(fmd_json *j, const fmd_live *l)
{
    const size_t bytes = fmd_model_images_bytes(&l->images);
    bool seen[FMD_CLASSES_MAX] = {false};
    uint8_t *pixels;
    size_t n = 0;
    size_t at[MOST_EXAMPLES];
    for (int class = 0; class < fmd_model_classes(l->trained->model) && n < MOST_EXAMPLES; class ++)
        for (size_t i = 0; i < l->examples->n && !seen[class]; i++)
            if (label_of(l->examples, i) == class) {
                seen[class] = true;
                at[n++] = i;
            }
    FMD_TRY(fmd_alloc(&pixels, n, bytes, "the examples"));
    char *text = NULL;
    for (size_t i = 0; i < n; i++) {
        memcpy(pixels + i * bytes, image_of(l->examples, at[i], bytes), bytes);
        fmd_json_append_int(j, "examples", "labels", label_of(l->examples, at[i]));
    }
    const fmd_status st = fmd_html_base64_text(&text, pixels, n * bytes);
    if (st == FMD_OK && n > 0)
        fmd_json_text(j, "examples", "pixels", text);
    free(text);
    free(pixels);
    return st;
}

/* Larger side of the box around the ink of an image, as a share of the image. */
static double ink_share(const fmd_model_images *m, const uint8_t *image)
{
    const size_t w = m->size.width, h = m->size.height;
    size_t left = w, right = 0, top = h, bottom = 0;
    for (size_t i = 0; i < w * h; i++) {
        const bool ink = m->invert == FMD_INVERT_LIGHT ? image[i] > INK : image[i] < 255 - INK;
        if (!ink)
            continue;
        left = i % w < left ? i % w : left;
        right = i % w + 1 > right ? i % w + 1 : right;
        top = i / w < top ? i / w : top;
        bottom = i / w + 1 > bottom ? i / w + 1 : bottom;
    }
    if (right == 0)
        return 1;
    const double across = (double)(right - left) / (double)w;
    const double down = (double)(bottom - top) / (double)h;
    return across > down ? across : down;
}

/* The mean of the first images: 20 of 28 pixels in MNIST. */
static double mean_ink_share(const fmd_live *l)
{
    const size_t n = l->examples->n < MOST_MEASURED ? l->examples->n : MOST_MEASURED;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ink_share(&l->images, image_of(l->examples, i, fmd_model_images_bytes(&l->images)));
    return n > 0 ? sum / (double)n : 1;
}

/* The description of the model for the scripts. */
static fmd_status describe(fmd_json *j, const fmd_live *l)
{
    const fmd_model *m = l->trained->model;
    fmd_status st = FMD_OK;
    append_shape(j, "input", fmd_model_in(m));
    fmd_json_int(j, "image", "width", (long long)l->images.size.width);
    fmd_json_int(j, "image", "height", (long long)l->images.size.height);
    fmd_json_int(j, "image", "channels", (long long)l->images.channels);
    fmd_json_bool(j, NULL, "dark", l->images.invert == FMD_INVERT_LIGHT);
    fmd_json_real(j, NULL, "divisor", (double)l->trained->divisor);
    for (int k = 0; k < fmd_model_classes(m); k++)
        fmd_json_append(j, NULL, "classes", fmd_class_name(&l->trained->data.info, k));
    if (l->url != NULL)
        fmd_json_text(j, NULL, "url", l->url);
    for (size_t i = 0; l->url == NULL && i < fmd_model_n_layers(m) && st == FMD_OK; i++)
        st = add_layer(j, m, fmd_model_layer(m, i));
    if (l->examples != NULL && l->images.channels == 1)
        fmd_json_real(j, NULL, "content", mean_ink_share(l));
    if (l->examples != NULL && st == FMD_OK)
        st = add_examples(j, l);
    return st;
}

static void put_tools(fmd_html *h, const fmd_live *l)
{
    fmd_html_markup(h,
                    "<div class=\"controls\"><div class=\"tools\"><button type=\"button\" "
                    "id=\"live-clear\">Clear</button>"
                    "<button type=\"button\" id=\"live-undo\" disabled>Undo</button>"
                    "<label class=\"file\">Open a picture…<input type=\"file\" id=\"live-file\" "
                    "accept=\"image/*\"></label></div>\n<div class=\"settings\"><label>Pen <input "
                    "type=\"range\" id=\"live-pen\" min=\"2\" max=\"20\" value=\"8\"></label>");
    if (l->images.channels == 3)
        fmd_html_markup(h, "<label>Colour <input type=\"color\" id=\"live-colour\" "
                           "value=\"#b03030\"></label>");
    else if (l->examples != NULL)
        fmd_html_markup(h, "<label><input type=\"checkbox\" id=\"live-centre\" checked> "
                           "Centre and scale the drawing</label>");
    fmd_html_markup(h, "</div>\n");
}

static void put_paper(fmd_html *h, const fmd_live *l)
{
    fmd_html_markup(
        h,
        "<div class=\"paper\"><canvas id=\"live-paper\" tabindex=\"0\" "
        "role=\"application\" aria-label=\"Drawing area\" aria-describedby=\"live-keys\"></canvas>"
        "<span id=\"live-hint\"%s>Draw here,<br>or drop a picture</span>"
        "<span id=\"live-cursor\" hidden></span></div>\n",
        l->images.invert == FMD_INVERT_LIGHT ? "" : " class=\"light\"");
    put_tools(h, l);
    fmd_html_markup(h,
                    "<p class=\"soft\" id=\"live-keys\">Keyboard: arrows move the pen, Space puts "
                    "it down and lifts it, Delete clears. Pictures can be dropped or pasted, "
                    "too.</p></div>\n");
}

static void put_results(fmd_html *h, const fmd_live *l)
{
    fmd_html_markup(h,
                    "<div class=\"results\"><p id=\"live-says\" aria-hidden=\"true\">Loading…</p>"
                    "<p id=\"live-status\" class=\"hidden\" role=\"status\"></p>"
                    "<table id=\"live-bars\"><caption class=\"hidden\">Probability of each "
                    "class</caption><colgroup><col class=\"name\"><col><col "
                    "class=\"share\"></colgroup><tbody></tbody></table>\n<div class=\"seen\">"
                    "<canvas id=\"live-input\" role=\"img\" aria-label=\"The image as the model "
                    "sees it\"></canvas><p>");
    fmd_html_text(h, "The image as the model sees it, %zu × %zu pixels. ", l->images.size.width,
                  l->images.size.height);
    fmd_html_markup(h,
                    "<span id=\"live-time\"></span><br><span id=\"live-note\"></span></p></div>\n");
    if (l->examples != NULL)
        fmd_html_markup(h, "<h3>Test images</h3><div id=\"live-examples\"></div>\n");
    fmd_html_markup(h, "</div></div>\n");
}

/* Where the arithmetic happens. */
static void put_about(fmd_html *h, const fmd_live *l)
{
    const size_t n = fmd_model_n_params(l->trained->model);
    char count[32], size[32];
    if (l->url != NULL)
        fmd_html_paragraph(h, "soft",
                           "Each picture goes to the server that this page came from: "
                           "a model of %s parameters.",
                           fmd_format_count(n, count));
    else
        fmd_html_paragraph(h, "soft",
                           "The model is in this page: %s parameters, %s. Nothing leaves your "
                           "browser. It computes in float32%s.",
                           fmd_format_count(n, count),
                           fmd_format_bytes((n * sizeof(float) + 2) / 3 * 4, size),
                           fmd_bf16_is_on() ? ", while the program rounds to bfloat16" : "");
}

/* The description, the weights and the scripts. */
static fmd_status put_scripts(fmd_html *h, const fmd_live *l)
{
    fmd_model *m = l->trained->model;
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    const fmd_status st = describe(j, l);
    fmd_html_data(h, "live-spec", j);
    fmd_json_destroy(j);
    if (l->url == NULL) {
        fmd_html_base64(h, "live-weights", fmd_model_params(m),
                        fmd_model_n_params(m) * sizeof(float));
        fmd_html_script(h, "live-model", model_js);
    }
    fmd_html_script(h, "live-script", live_js);
    return st;
}

fmd_status fmd_live_put(fmd_html *h, const fmd_live *l)
{
    const size_t bytes = fmd_model_n_params(l->trained->model) * sizeof(float);
    char size[32], most[32];
    if (l->url == NULL && bytes > most_bytes)
        return FMD_FAIL(FMD_EUSAGE,
                        "--live: the model has %s of weights, more than the %s that a page can "
                        "hold; use 'fmnist-dist serve' instead",
                        fmd_format_bytes(bytes, size), fmd_format_bytes(most_bytes, most));
    fmd_html_scripts(h, policy, live_css);
    fmd_html_section(h, "live", "Try the model");
    fmd_html_markup(h, "<noscript><p class=\"note\">This section needs JavaScript.</p></noscript>\n"
                       "<div class=\"live\">\n");
    put_paper(h, l);
    put_results(h, l);
    put_about(h, l);
    return put_scripts(h, l);
}
