/* card.c - a model card as JSON and as text. */
#include "learn/card.h"

#include <math.h>

#include "base/timefmt.h"

static const char use[] =
    "Ranks events of the kind it was trained on, in the time that follows, so that a policy can ask for a second "
    "step or a review; it is not meant to decide alone against a person.";
static const char limits[] = "It knows only the fraud that was labelled in its data, and its score is a probability only "
                             "while fraud is as frequent as in the later block and the calibration is not 'none'.";

/* Feature numbers from the highest gain down; equal ones in the data's order. Insertion sort: at most LIMIT_FEATURES. */
static void rank_features(const struct model_card *c, unsigned *order)
{
    for (unsigned i = 0; i < c->cols; i++) {
        unsigned at = i;
        for (; at > 0 && c->features[order[at - 1]].gain < c->features[i].gain; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void key(struct buf *b, const char *name)
{
    buf_fmt(b, "%s\"%s\":", b->len && b->p[b->len - 1] != '{' ? "," : "", name);
}
static void number(struct buf *b, const char *name, double v)
{
    key(b, name);
    buf_f64(b, v);
}
static void text(struct buf *b, const char *name, const char *v)
{
    key(b, name);
    if (v)
        buf_json(b, slice_str(v));
    else
        buf_puts(b, "null");
}

static void block(struct buf *b, const char *name, const struct card_block *k)
{
    key(b, name);
    if (k->rows == 0) {
        buf_puts(b, "null");
        return;
    }
    buf_puts(b, "{\"from\":\"");
    time_print(b, k->from_us);
    buf_puts(b, "\",\"to\":\"");
    time_print(b, k->to_us);
    buf_fmt(b, "\",\"rows\":%llu,\"frauds\":%llu}", (unsigned long long)k->rows, (unsigned long long)k->frauds);
}

static void parameters(struct buf *b, const struct model_card *c)
{
    key(b, "parameters");
    buf_char(b, '{');
    text(b, "tree_method", c->tree_method);
    number(b, "trees_max", c->params.trees_max);
    number(b, "depth", c->params.depth);
    number(b, "learning_rate", c->params.learning_rate);
    number(b, "min_child_weight", c->params.min_child_weight);
    number(b, "subsample", c->params.subsample);
    number(b, "colsample_bytree", c->params.colsample_bytree);
    number(b, "lambda", c->params.lambda);
    number(b, "gamma", c->params.gamma);
    number(b, "max_bin", c->params.max_bin);
    number(b, "threads", c->params.nthread);
    number(b, "seed", c->params.seed);
    text(b, "stop_metric", c->stop_metric);
    number(b, "patience", c->stop_metric ? (double)c->patience : (double)NAN);
    buf_char(b, '}');
}

static void metrics(struct buf *b, const struct model_card *c)
{
    const struct card_metrics *m = &c->metrics;
    key(b, "metrics");
    buf_char(b, '{');
    number(b, "auc", m->auc);
    number(b, "average_precision", m->average_precision);
    number(b, "card_precision_at", CARD_PRECISION_K);
    number(b, "card_precision", m->card_precision);
    number(b, "card_precision_ceiling", m->card_precision_ceiling);
    number(b, "brier_raw", m->before.brier);
    number(b, "brier_calibrated", m->after.brier);
    number(b, "ece_raw", m->before.ece);
    number(b, "ece_calibrated", m->after.ece);
    buf_char(b, '}');
}

static void features(struct buf *b, const struct model_card *c)
{
    unsigned order[LIMIT_FEATURES];
    rank_features(c, order);
    key(b, "features");
    buf_char(b, '[');
    for (unsigned i = 0; i < c->cols; i++) {
        const struct card_feature *f = &c->features[order[i]];
        buf_puts(b, i ? ",{" : "{");
        text(b, "name", f->name);
        number(b, "gain", f->gain);
        number(b, "cover", f->cover);
        number(b, "frequency", f->frequency);
        buf_char(b, '}');
    }
    buf_char(b, ']');
}

void card_print_json(const struct model_card *c, struct buf *ret_json)
{
    struct buf *b = ret_json;
    buf_char(b, '{');
    text(b, "name", c->name);
    if (c->trained_us != CARD_NO_TIME) {
        key(b, "trained");
        buf_char(b, '"');
        time_print(b, c->trained_us);
        buf_char(b, '"');
    }
    key(b, "library");
    buf_fmt(b, "\"XGBoost %u.%u.%u\"", c->library[0], c->library[1], c->library[2]);
    block(b, "data", &c->data);
    block(b, "train", &c->train);
    block(b, "later", &c->later);
    number(b, "delay_days", c->delay_days);
    key(b, "refit");
    buf_puts(b, c->refit ? "true" : "false");
    number(b, "trees", c->trees);
    parameters(b, c);
    text(b, "class_weights", c->weights);
    number(b, "fraud_weight", c->params.scale_pos_weight);
    text(b, "calibration", calibration_kind_name(c->calibration));
    number(b, "calibration_knots", c->knots);
    metrics(b, c);
    features(b, c);
    text(b, "use", use);
    text(b, "limits", limits);
    buf_char(b, '}');
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void figure(struct buf *b, const char *before, double v)
{
    if (isnan(v))
        buf_fmt(b, "%s-", before);
    else
        buf_fmt(b, "%s%.4f", before, v);
}

static void block_line(struct buf *b, const char *name, const struct card_block *k)
{
    buf_fmt(b, "%-13s", name);
    if (k->rows == 0) {
        buf_puts(b, "-\n");
        return;
    }
    time_print(b, k->from_us);
    buf_puts(b, " to ");
    time_print(b, k->to_us);
    buf_fmt(b, ", %llu events, %llu frauds (%.3f %%)\n", (unsigned long long)k->rows, (unsigned long long)k->frauds,
            100 * (double)k->frauds / (double)k->rows);
}

static void figures(struct buf *b, const struct model_card *c)
{
    const struct card_metrics *m = &c->metrics;
    figure(b, "later block  AUC ROC ", m->auc);
    figure(b, ", average precision ", m->average_precision);
    buf_fmt(b, ", card precision at %d", CARD_PRECISION_K);
    figure(b, " ", m->card_precision);
    figure(b, " of at most ", m->card_precision_ceiling);
    buf_fmt(b, "\n%-13s%s", "calibration", calibration_kind_name(c->calibration));
    if (c->knots)
        buf_fmt(b, ", %u knots", c->knots);
    buf_puts(b, "; raw, then calibrated on unseen rows:");
    figure(b, " Brier ", m->before.brier);
    figure(b, " ", m->after.brier);
    figure(b, ", ECE ", m->before.ece);
    figure(b, " ", m->after.ece);
    buf_char(b, '\n');
}

void card_print_text(const struct model_card *c, struct buf *ret_text)
{
    struct buf *b = ret_text;
    const struct xgb_params *p = &c->params;
    unsigned order[LIMIT_FEATURES];
    buf_fmt(b, "%-13s%s\n", "model", c->name);
    if (c->trained_us != CARD_NO_TIME) {
        buf_fmt(b, "%-13s", "trained at");
        time_print(b, c->trained_us);
        buf_char(b, '\n');
    }
    block_line(b, "data", &c->data);
    block_line(b, "trained on", &c->train);
    block_line(b, "later block", &c->later);
    buf_fmt(b, "%-13s%u of at most %u, depth %u, rate %g, %s, seed %u, threads %u, XGBoost %u.%u.%u%s\n", "trees", c->trees,
            p->trees_max, p->depth, p->learning_rate, c->tree_method, p->seed, p->nthread, c->library[0], c->library[1],
            c->library[2], c->refit ? ", grown again on all rows" : "");
    if (c->stop_metric)
        buf_fmt(b, "%-13s%s, patience %u, %u days of delay before the later block\n", "stopped by", c->stop_metric,
                c->patience, c->delay_days);
    buf_fmt(b, "%-13s%s, a fraud counts %g\n", "weights", c->weights, p->scale_pos_weight);
    figures(b, c);
    buf_fmt(b, "%-48s%8s%8s%10s\n", "feature", "gain", "cover", "frequency");
    rank_features(c, order);
    for (unsigned i = 0; i < c->cols; i++) {
        const struct card_feature *f = &c->features[order[i]];
        buf_fmt(b, "%-48s%8.4f%8.4f%10.4f\n", f->name, f->gain, f->cover, f->frequency);
    }
    buf_fmt(b, "%-13s%s\n%-13s%s\n", "use", use, "limits", limits);
}
