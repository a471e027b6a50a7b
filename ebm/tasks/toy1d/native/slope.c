/* Training step of denoising score matching: the score's slope in y by forward differentiation, then backward. */

#include "steps.c"

/* Level l of the slope's backward pass: t = tanh(z), slope dt = (1 - t^2) dz. From the adjoints of t (a) and of dt (da)
   the adjoints of z (a) and dz (da), in place. */
static inline void slope_level_back(const vec *t, const vec *dz, vec *a, vec *da) {
    for (int j = 0; j < H; j++) {
        vec gain = 1.0f - t[j] * t[j];
        a[j] = (a[j] - 2.0f * t[j] * dz[j] * da[j]) * gain;
        da[j] *= gain;
    }
}
static inline void add_vecs(vec *out, const vec *a) {
    for (int j = 0; j < H; j++) out[j] += a[j];
}
/* loss_i = mean over count of (df/dy + target)^2 */
static inline vec slope_group(const net *p, const float *xz, const vec *y, const vec *target, const vec *weight, sums *s,
                              vec *xsum) {
    vec u1[GROUP][H], u2[GROUP][H], g[GROUP][H], v1[GROUP][H], v2[GROUP][H], vg[GROUP][H];
    vec a3[GROUP][H], a2[GROUP][H], a1[GROUP][H], b3[GROUP][H], b2[GROUP][H], b1[GROUP][H];
    vec total = splat(0);
    for (int b = 0; b < GROUP; b++) {
        acts a;
        vec z1[H], z2[H], z3[H], au[H], bu[H];
        forward_block(p, xz, y[b], &a);
        vec slope = splat(0);
        for (int j = 0; j < H; j++) {
            g[b][j] = a.g[j];
            u1[b][j] = a.t1[j];
            u2[b][j] = a.t2[j] + a.t1[j];
            vg[b][j] = p->wy[j] * (1.0f - a.g[j] * a.g[j]);
        }
        dense(p->w1[0] + H, 2 * H, NULL, vg[b], z1);
        for (int j = 0; j < H; j++) v1[b][j] = z1[j] * (1.0f - a.t1[j] * a.t1[j]);
        dense(p->w2[0], H, NULL, v1[b], z2);
        for (int j = 0; j < H; j++) v2[b][j] = v1[b][j] + z2[j] * (1.0f - a.t2[j] * a.t2[j]);
        dense(p->w3[0], H, NULL, v2[b], z3);
        vec v3[H];
        for (int j = 0; j < H; j++) {
            v3[j] = v2[b][j] + z3[j] * (1.0f - a.t3[j] * a.t3[j]);
            slope += p->w4[j] * v3[j];
        }
        vec residual = slope + target[b];
        total += weight[b] * residual * residual;
        vec top = 2.0f * weight[b] * residual;
        for (int j = 0; j < H; j++) {
            s->w4[j] += top * v3[j];
            bu[j] = b3[b][j] = top * p->w4[j];
            au[j] = a3[b][j] = splat(0);
        }
        slope_level_back(a.t3, z3, a3[b], b3[b]);
        dense_back(p->w3[0], H, a3[b], au);
        dense_back(p->w3[0], H, b3[b], bu);
        memcpy(a2[b], au, sizeof au);
        memcpy(b2[b], bu, sizeof bu);
        slope_level_back(a.t2, z2, a2[b], b2[b]);
        dense_back(p->w2[0], H, a2[b], au);
        dense_back(p->w2[0], H, b2[b], bu);
        slope_level_back(a.t1, z1, au, bu);
        memcpy(a1[b], au, sizeof au);
        memcpy(b1[b], bu, sizeof bu);
        vec ag[H], bg[H];
        memset(ag, 0, sizeof ag);
        memset(bg, 0, sizeof bg);
        dense_back(p->w1[0] + H, 2 * H, a1[b], ag);
        dense_back(p->w1[0] + H, 2 * H, b1[b], bg);
        for (int j = 0; j < H; j++) {
            vec gain = 1.0f - a.g[j] * a.g[j];
            vec az = (ag[j] - 2.0f * a.g[j] * p->wy[j] * bg[j]) * gain;
            s->wy[j] += bg[j] * gain + az * y[b];
            s->by[j] += az;
        }
        add_vecs(s->b3, a3[b]);
        add_vecs(s->b2, a2[b]);
        add_vecs(xsum, a1[b]);
    }
    outer_sum(s->w3, (const vec(*)[H])a3, (const vec(*)[H])u2);
    outer_sum(s->w3, (const vec(*)[H])b3, (const vec(*)[H])v2);
    outer_sum(s->w2, (const vec(*)[H])a2, (const vec(*)[H])u1);
    outer_sum(s->w2, (const vec(*)[H])b2, (const vec(*)[H])v1);
    outer_sum(s->w1, (const vec(*)[H])a1, (const vec(*)[H])g);
    outer_sum(s->w1, (const vec(*)[H])b1, (const vec(*)[H])vg);
    return total;
}
void slope_step(const net *p, net *grad, const float *x, const float *y, const float *target, long batch, long count,
                double *loss) {
    sums s;
    memset(&s, 0, sizeof s);
    memset(grad, 0, sizeof *grad);
    double total = 0;
    for (long i = 0; i < batch; i++) {
        float h[H], gx[H], xz[H];
        vec xsum[H];
        memset(xsum, 0, sizeof xsum);
        x_forward(p, x[i], h, gx, xz);
        for (long m = 0; m < count; m += GROUP * LANES) {
            vec ys[GROUP], ts[GROUP], ws[GROUP];
            long n = count - m < GROUP * LANES ? count - m : GROUP * LANES;
            memset(ys, 0, sizeof ys);
            memset(ts, 0, sizeof ts);
            for (long l = 0; l < GROUP * LANES; l++) ((float *)ws)[l] = l < n ? 1.0f / (batch * count) : 0;
            memcpy(ys, y + i * count + m, n * sizeof(float));
            memcpy(ts, target + i * count + m, n * sizeof(float));
            total += lane_sum(slope_group(p, xz, ys, ts, ws, &s, xsum));
        }
        x_backward(p, x[i], h, gx, xsum, grad);
    }
    add_sums(&s, grad);
    *loss = total;
}
