/* The papers' 1-D energy network, candidates in vectors of LANES.

   f(x, y): g = tanh(wy y + by), t1 = tanh(Wx gx + Wy g + b1), u2 = tanh(W2 t1 + b2) + t1,
   u3 = tanh(W3 u2 + b3) + u2, f = w4 u3 + b4, where gx is a two-layer ReLU network of x, evaluated once per x.
   Only GCC's and Clang's vector extension is used, so the code runs on whatever vectors the machine has. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define H 10
#define LANES 16
/* Blocks that share one pass over the gradient accumulators, which are otherwise loaded and stored per block. */
#define GROUP 4

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int ivec __attribute__((vector_size(4 * LANES), aligned(4)));

typedef struct {
    float wx0[H], bx0[H], wx1[H][H], bx1[H];
    float wy[H], by[H];
    float w1[H][2 * H], b1[H];
    float w2[H][H], b2[H], w3[H][H], b3[H];
    float w4[H], b4;
} net;

/* Sums over lanes are taken once per call. */
typedef struct {
    vec wy[H], by[H], w1[H][H], w2[H][H], b2[H], w3[H][H], b3[H], w4[H], b4;
} sums;

typedef struct {
    vec g[H], t1[H], t2[H], t3[H];
} acts;

static inline vec splat(float a) { return a - (vec){0}; }
static inline vec select_less(vec a, vec b, vec then, vec otherwise) {
    ivec mask = a < b;
    return (vec)((mask & (ivec)then) | (~mask & (ivec)otherwise));
}
static inline vec clamp(vec a, float low, float high) {
    a = select_less(a, splat(low), splat(low), a);
    return select_less(splat(high), a, splat(high), a);
}

/* e^a for |a| < 87 to 2 ulp: 2^n e^r, |r| <= log(2) / 2. */
static inline vec exp_small(vec a) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    vec n = a * 1.44269504088896341f + shift;
    ivec power = (ivec)n << 23;
    n = n - shift;
    vec r = a - n * 0.693145751953125f;
    r = r - n * 1.42860682030941723e-6f;
    vec p = r * (1.0f / 5040) + (1.0f / 720);
    p = p * r + (1.0f / 120);
    p = p * r + (1.0f / 24);
    p = p * r + (1.0f / 6);
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return (vec)((ivec)p + power);
}

/* tanh of H values in place: 1 - 2 / (1 + e^2a), one division for five values; 8.3 is where float tanh is 1. */
static inline void tanh_all(vec *a) {
    for (int h = 0; h < H; h += 5) {
        vec d[5], before[5], product;
        for (int j = 0; j < 5; j++) {
            d[j] = 1.0f + exp_small(clamp(2.0f * a[h + j], -16.6f, 16.6f));
            before[j] = j ? product : splat(1.0f);
            product = j ? product * d[j] : d[j];
        }
        vec inverse = 2.0f / product;
        for (int j = 4; j >= 0; j--) {
            a[h + j] = 1.0f - inverse * before[j];
            inverse = inverse * d[j];
        }
    }
}

static inline void dense(const float *w, int stride, const float *bias, const vec *in, vec *out) {
    for (int j = 0; j < H; j++) {
        vec z = splat(bias ? bias[j] : 0.0f);
        for (int k = 0; k < H; k++) z += w[j * stride + k] * in[k];
        out[j] = z;
    }
}

/* out += w^T in */
static inline void dense_back(const float *w, int stride, const vec *in, vec *out) {
    for (int k = 0; k < H; k++) {
        vec z = out[k];
        for (int j = 0; j < H; j++) z += w[j * stride + k] * in[j];
        out[k] = z;
    }
}

static inline vec forward_block(const net *p, const float *xz, vec y, acts *a) {
    vec u[H];
    for (int j = 0; j < H; j++) a->g[j] = p->wy[j] * y + p->by[j];
    tanh_all(a->g);
    dense(p->w1[0] + H, 2 * H, xz, a->g, a->t1);
    tanh_all(a->t1);
    dense(p->w2[0], H, p->b2, a->t1, a->t2);
    tanh_all(a->t2);
    for (int j = 0; j < H; j++) u[j] = a->t2[j] + a->t1[j];
    dense(p->w3[0], H, p->b3, u, a->t3);
    tanh_all(a->t3);
    vec f = splat(p->b4);
    for (int j = 0; j < H; j++) f += p->w4[j] * (a->t3[j] + u[j]);
    return f;
}
static inline vec slope_block(const net *p, const acts *a) {
    vec g[H], s[H], z[H];
    for (int j = 0; j < H; j++) g[j] = p->wy[j] * (1.0f - a->g[j] * a->g[j]);
    dense(p->w1[0] + H, 2 * H, NULL, g, s);
    for (int j = 0; j < H; j++) s[j] *= 1.0f - a->t1[j] * a->t1[j];
    dense(p->w2[0], H, NULL, s, z);
    for (int j = 0; j < H; j++) s[j] += z[j] * (1.0f - a->t2[j] * a->t2[j]);
    dense(p->w3[0], H, NULL, s, z);
    vec f = splat(0);
    for (int j = 0; j < H; j++) f += p->w4[j] * (s[j] + z[j] * (1.0f - a->t3[j] * a->t3[j]));
    return f;
}

static float lane_sum(vec a) {
    float total = 0;
    for (int l = 0; l < LANES; l++) total += a[l];
    return total;
}
static void x_forward(const net *p, float x, float *h, float *gx, float *xz) {
    for (int j = 0; j < H; j++) h[j] = fmaxf(p->wx0[j] * x + p->bx0[j], 0.0f);
    for (int j = 0; j < H; j++) {
        float z = p->bx1[j];
        for (int k = 0; k < H; k++) z += p->wx1[j][k] * h[k];
        gx[j] = fmaxf(z, 0.0f);
    }
    for (int j = 0; j < H; j++) {
        xz[j] = p->b1[j];
        for (int k = 0; k < H; k++) xz[j] += p->w1[j][k] * gx[k];
    }
}
static void x_backward(const net *p, float x, const float *h, const float *gx, const vec *xsum, net *grad) {
    float dgx[H] = {0}, dh[H] = {0};
    for (int j = 0; j < H; j++) {
        float d = lane_sum(xsum[j]);
        grad->b1[j] += d;
        for (int k = 0; k < H; k++) {
            grad->w1[j][k] += d * gx[k];
            dgx[k] += d * p->w1[j][k];
        }
    }
    for (int j = 0; j < H; j++) {
        float d = gx[j] > 0 ? dgx[j] : 0;
        grad->bx1[j] += d;
        for (int k = 0; k < H; k++) {
            grad->wx1[j][k] += d * h[k];
            dh[k] += d * p->wx1[j][k];
        }
    }
    for (int j = 0; j < H; j++) {
        float d = h[j] > 0 ? dh[j] : 0;
        grad->wx0[j] += d * x;
        grad->bx0[j] += d;
    }
}
static void add_sums(const sums *s, net *grad) {
    for (int j = 0; j < H; j++) {
        grad->wy[j] += lane_sum(s->wy[j]);
        grad->by[j] += lane_sum(s->by[j]);
        grad->b2[j] += lane_sum(s->b2[j]);
        grad->b3[j] += lane_sum(s->b3[j]);
        grad->w4[j] += lane_sum(s->w4[j]);
        for (int k = 0; k < H; k++) {
            grad->w1[j][H + k] += lane_sum(s->w1[j][k]);
            grad->w2[j][k] += lane_sum(s->w2[j][k]);
            grad->w3[j][k] += lane_sum(s->w3[j][k]);
        }
    }
    grad->b4 += lane_sum(s->b4);
}
