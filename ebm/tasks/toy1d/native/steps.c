/* Training steps of the losses that compare scores, and the Langevin chain. */

#include "net.h"

/* As `COMPARISONS` of ebm.tasks.toy1d.batched orders them. */
enum { LINEAR, SOFTMAX, PAIRS };

/* out += sum over the group of the outer products of d and u */
static inline void outer_sum(vec (*restrict out)[H], const vec (*restrict d)[H], const vec (*restrict u)[H]) {
    for (int j = 0; j < H; j++)
        for (int k = 0; k < H; k++) {
            vec s = out[j][k];
            for (int b = 0; b < GROUP; b++) s += d[b][j] * u[b][k];
            out[j][k] = s;
        }
}
static inline void back_group(const net *p, const vec *y, const vec *df, const acts *a, sums *s, vec *xsum) {
    vec u1[GROUP][H], u2[GROUP][H], d1[GROUP][H], d2[GROUP][H], d3[GROUP][H], g[GROUP][H];
    for (int b = 0; b < GROUP; b++) {
        vec du[H], dg[H];
        for (int j = 0; j < H; j++) {
            g[b][j] = a[b].g[j];
            u1[b][j] = a[b].t1[j];
            u2[b][j] = a[b].t2[j] + a[b].t1[j];
            s->w4[j] += df[b] * (a[b].t3[j] + u2[b][j]);
            du[j] = df[b] * p->w4[j];
            d3[b][j] = du[j] * (1.0f - a[b].t3[j] * a[b].t3[j]);
            s->b3[j] += d3[b][j];
        }
        s->b4 += df[b];
        dense_back(p->w3[0], H, d3[b], du);
        for (int j = 0; j < H; j++) {
            d2[b][j] = du[j] * (1.0f - a[b].t2[j] * a[b].t2[j]);
            s->b2[j] += d2[b][j];
        }
        dense_back(p->w2[0], H, d2[b], du);
        for (int j = 0; j < H; j++) {
            d1[b][j] = du[j] * (1.0f - a[b].t1[j] * a[b].t1[j]);
            xsum[j] += d1[b][j];
            dg[j] = splat(0);
        }
        dense_back(p->w1[0] + H, 2 * H, d1[b], dg);
        for (int j = 0; j < H; j++) {
            vec d = dg[j] * (1.0f - g[b][j] * g[b][j]);
            s->wy[j] += d * y[b];
            s->by[j] += d;
        }
    }
    outer_sum(s->w3, (const vec(*)[H])d3, (const vec(*)[H])u2);
    outer_sum(s->w2, (const vec(*)[H])d2, (const vec(*)[H])u1);
    outer_sum(s->w1, (const vec(*)[H])d1, (const vec(*)[H])g);
}
/* exp(f - log_q - subtract) of one block; lanes from `count` on are left out. */
static vec shares(const float *f, const float *log_q, float subtract, long from, long count) {
    vec e = splat(-80.0f);
    for (long l = 0; l < LANES && from + l < count; l++) e[l] = f[l] - log_q[from + l] - subtract;
    return exp_small(clamp(e, -80.0f, 1.0f));
}

/* log sum exp(f - log_q) */
static float log_partition(const vec *fs, const float *log_q, long count) {
    const float *f = (const float *)fs;
    float top = -INFINITY;
    double z = 0;
    for (long m = 0; m < count; m++) top = fmaxf(top, f[m] - log_q[m]);
    for (long m = 0; m < count; m += LANES) {
        vec e = shares(f + m, log_q, top, m, count);
        for (long l = 0; l < LANES && m + l < count; l++) z += e[l];
    }
    return top + (float)log(z);
}

/* Scores in `fs` become d loss / d f, 0 beyond `count`; returns the loss of one input. */
static float score_gradient(vec *fs, const float *log_q, const float *coef, long batch, long count, long blocks,
                            int partition) {
    const float *f = (const float *)fs;
    float log_z = partition ? log_partition(fs, log_q, count) : 0.0f, dot = 0.0f;
    for (long m = 0; m < count; m++) dot += coef[m] * f[m];
    for (long m = 0; m < blocks * LANES; m += LANES) {
        vec e = partition ? shares(f + m, log_q, log_z, m, count) : splat(0);
        for (long l = 0; l < LANES; l++) e[l] = m + l < count ? (e[l] - coef[m + l]) / batch : 0;
        fs[m / LANES] = e;
    }
    return log_z - dot;
}

/* The same for  sum_c coef_c softplus(f_c - log_q_c - f_0), the label against each candidate. */
static float pair_gradient(vec *fs, const float *log_q, const float *coef, long batch, long count, long blocks) {
    const float *f = (const float *)fs;
    float label = f[0], back = 0;
    double loss = 0;
    for (long m = 0; m < blocks * LANES; m += LANES) {
        vec a = splat(0), weight = splat(0);
        for (long l = 0; l < LANES && m + l < count; l++) {
            a[l] = f[m + l] - log_q[m + l] - label;
            weight[l] = coef[m + l];
        }
        vec e = exp_small(clamp(select_less(a, splat(0), a, -a), -80.0f, 0.0f));
        for (long l = 0; l < LANES && m + l < count; l++) loss += weight[l] * ((a[l] < 0 ? 0 : a[l]) + log1pf(e[l]));
        vec slope = select_less(a, splat(0), e, splat(1.0f)) / (1.0f + e) * weight / (float)batch;
        back += lane_sum(slope);
        fs[m / LANES] = slope;
    }
    fs[0][0] -= back;
    return loss;
}

/* Gradient of the mean over inputs of what `how` says: - sum_c coef_c f_c (LINEAR), LSE_c(f_c - log_q_c) in addition
   (SOFTMAX), or sum_c coef_c softplus(f_c - log_q_c - f_0) (PAIRS).
   y is (batch, count); log_q and coef have rows of `count` that are `row_stride` apart, 0 where all inputs share one.
   Returns 1 if there is no memory. */
int candidate_step(const net *p, net *grad, const float *x, const float *y, const float *log_q, const float *coef,
                   long batch, long count, long row_stride, int how, double *loss) {
    long blocks = (count + LANES * GROUP - 1) / (LANES * GROUP) * GROUP;
    acts *a = aligned_alloc(64, blocks * sizeof(acts));
    vec *ys = aligned_alloc(64, blocks * sizeof(vec)), *fs = aligned_alloc(64, blocks * sizeof(vec));
    int missing = !a || !ys || !fs;
    sums s;
    memset(&s, 0, sizeof s);
    memset(grad, 0, sizeof *grad);
    *loss = 0;
    for (long i = 0; i < batch && !missing; i++) {
        float h[H], gx[H], xz[H];
        vec xsum[H];
        memset(xsum, 0, sizeof xsum);
        memset(ys, 0, blocks * sizeof(vec));
        memcpy(ys, y + i * count, count * sizeof(float));
        x_forward(p, x[i], h, gx, xz);
        for (long b = 0; b < blocks; b++) fs[b] = forward_block(p, xz, ys[b], a + b);
        const float *q = log_q + i * row_stride, *c = coef + i * row_stride;
        *loss += (how == PAIRS ? pair_gradient(fs, q, c, batch, count, blocks)
                               : score_gradient(fs, q, c, batch, count, blocks, how == SOFTMAX)) / batch;
        for (long b = 0; b < blocks; b += GROUP) back_group(p, ys + b, fs + b, a + b, &s, xsum);
        x_backward(p, x[i], h, gx, xsum, grad);
    }
    add_sums(&s, grad);
    free(a);
    free(ys);
    free(fs);
    return missing;
}

/* y (batch, count) moved by steps of y += alpha^2/2 df/dy + alpha noise; noise (steps, batch, count) */
void langevin(const net *p, const float *x, float *y, const float *noise, long batch, long count, long steps, float alpha) {
    for (long i = 0; i < batch; i++) {
        float h[H], gx[H], xz[H];
        x_forward(p, x[i], h, gx, xz);
        for (long m = 0; m < count; m += LANES) {
            long n = count - m < LANES ? count - m : LANES;
            vec v = splat(0), e = splat(0);
            acts a;
            memcpy(&v, y + i * count + m, n * sizeof(float));
            for (long t = 0; t < steps; t++) {
                memcpy(&e, noise + (t * batch + i) * count + m, n * sizeof(float));
                forward_block(p, xz, v, &a);
                v += 0.5f * alpha * alpha * slope_block(p, &a) + alpha * e;
            }
            memcpy(y + i * count + m, &v, n * sizeof(float));
        }
    }
}
