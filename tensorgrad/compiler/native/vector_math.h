/* Elementary functions without branches, so that a compiler vectorises loops of them.

   Theory. exp: x = k ln 2 + r with |r| <= ln(2)/2, k found by adding 1.5 * 2^52, whose
   last bits then hold it; exp(r) by its Taylor series, whose remainder is below 4.2e-18
   in degree 13 (float: 5.3e-9 in degree 7), a twentieth of an ulp; 2^k in two factors,
   so that results below the smallest normal number are rounded once. log: x = 2^k m
   with m in [sqrt(1/2), sqrt(2)), log(m) = 2 atanh(s) with s = (m - 1)/(m + 1),
   |s| < 0.1716, by its series to s^23 (float: s^9), remainder below 6e-19 (2.6e-9).
   tanh(x) = e / (e + 2) with e = expm1(2 |x|), where nothing cancels.

   Each is compared with longer arithmetic in tests/compiler/test_vector_math.py, which
   holds the bounds in ulp. */

#ifndef TG_VECTOR_MATH
#define TG_VECTOR_MATH

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A compiler that stops inlining in a long loop stops vectorising it, too. */
#define TG_INLINE static inline __attribute__((always_inline))

TG_INLINE double tg_double(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
TG_INLINE uint64_t tg_bits(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }
TG_INLINE float tg_float(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
TG_INLINE uint32_t tg_bitsf(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }

#define TG_SHIFT 0x1.8p52
#define TG_SHIFTF 0x1.8p23f
/* ln 2 in two parts; the first has trailing zeros, so that its multiples are exact. */
#define TG_LN2_HIGH 0x1.62e42fefap-1
#define TG_LN2_LOW 0x1.cf79abc9e3b39p-40
#define TG_LN2_HIGHF 0x1.62ep-1f
#define TG_LN2_LOWF 0x1.0bfbe8p-15f

/* (exp(r) - 1 - r) / r^2 */
TG_INLINE double tg_exp_tail(double r) {
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    return p * r + 0.5;
}

TG_INLINE float tg_exp_tailf(float r) {
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    return p * r + 0.5f;
}

TG_INLINE double tg_exp(double x) {
    double t = x < -746.0 ? -746.0 : x;
    t = t > 710.0 ? 710.0 : t;
    double k = (t * 0x1.71547652b82fep0 + TG_SHIFT) - TG_SHIFT;
    double r = (t - k * TG_LN2_HIGH) - k * TG_LN2_LOW;
    double p = 1.0 + (r + r * r * tg_exp_tail(r));
    double half = k * 0.5 + TG_SHIFT;
    double rest = (k - (half - TG_SHIFT)) + TG_SHIFT;
    return p * tg_double((tg_bits(half) + 1023) << 52) * tg_double((tg_bits(rest) + 1023) << 52);
}

TG_INLINE float tg_expf(float x) {
    float t = x < -104.0f ? -104.0f : x;
    t = t > 89.0f ? 89.0f : t;
    float k = (t * 0x1.715476p0f + TG_SHIFTF) - TG_SHIFTF;
    float r = (t - k * TG_LN2_HIGHF) - k * TG_LN2_LOWF;
    float p = 1.0f + (r + r * r * tg_exp_tailf(r));
    float half = k * 0.5f + TG_SHIFTF;
    float rest = (k - (half - TG_SHIFTF)) + TG_SHIFTF;
    return p * tg_float((tg_bitsf(half) + 127) << 23) * tg_float((tg_bitsf(rest) + 127) << 23);
}

TG_INLINE double tg_expm1(double x) {
    double t = x < -40.0 ? -40.0 : x;
    t = t > 710.0 ? 710.0 : t;
    double shifted = t * 0x1.71547652b82fep0 + TG_SHIFT;
    double k = shifted - TG_SHIFT;
    double r = (t - k * TG_LN2_HIGH) - k * TG_LN2_LOW;
    double p = r + r * r * tg_exp_tail(r);
    /* 2^1024 is no number: the last doubling comes afterwards. */
    double top = k > 1023.0 ? 2.0 : 1.0;
    double scale = tg_double((tg_bits(shifted) + 1023 - (k > 1023.0 ? 1 : 0)) << 52);
    double found = (scale * p + (scale - 1.0 / top)) * top;
    return x == 0.0 ? x : found;
}

TG_INLINE float tg_expm1f(float x) {
    float t = x < -20.0f ? -20.0f : x;
    t = t > 89.0f ? 89.0f : t;
    float shifted = t * 0x1.715476p0f + TG_SHIFTF;
    float k = shifted - TG_SHIFTF;
    float r = (t - k * TG_LN2_HIGHF) - k * TG_LN2_LOWF;
    float p = r + r * r * tg_exp_tailf(r);
    float top = k > 127.0f ? 2.0f : 1.0f;
    float scale = tg_float((tg_bitsf(shifted) + 127 - (k > 127.0f ? 1 : 0)) << 23);
    float found = (scale * p + (scale - 1.0f / top)) * top;
    return x == 0.0f ? x : found;
}

TG_INLINE double tg_tanh(double x) {
    double t = 2.0 * fabs(x);
    t = t > 40.0 ? 40.0 : t;
    double shifted = t * 0x1.71547652b82fep0 + TG_SHIFT;
    double k = shifted - TG_SHIFT;
    double r = (t - k * TG_LN2_HIGH) - k * TG_LN2_LOW;
    double p = r + r * r * tg_exp_tail(r);
    double scale = tg_double((tg_bits(shifted) + 1023) << 52);
    double e = scale * p + (scale - 1.0);
    return copysign(e / (e + 2.0), x);
}

TG_INLINE float tg_tanhf(float x) {
    float t = 2.0f * fabsf(x);
    t = t > 20.0f ? 20.0f : t;
    float shifted = t * 0x1.715476p0f + TG_SHIFTF;
    float k = shifted - TG_SHIFTF;
    float r = (t - k * TG_LN2_HIGHF) - k * TG_LN2_LOWF;
    float p = r + r * r * tg_exp_tailf(r);
    float scale = tg_float((tg_bitsf(shifted) + 127) << 23);
    float e = scale * p + (scale - 1.0f);
    return copysignf(e / (e + 2.0f), x);
}

/* (2 atanh(s) - 2 s) / (s z) with z = s^2 */
TG_INLINE double tg_log_tail(double z) {
    double p = 2.0 / 23.0;
    p = p * z + 2.0 / 21.0;
    p = p * z + 2.0 / 19.0;
    p = p * z + 2.0 / 17.0;
    p = p * z + 2.0 / 15.0;
    p = p * z + 2.0 / 13.0;
    p = p * z + 2.0 / 11.0;
    p = p * z + 2.0 / 9.0;
    p = p * z + 2.0 / 7.0;
    p = p * z + 2.0 / 5.0;
    return p * z + 2.0 / 3.0;
}

TG_INLINE float tg_log_tailf(float z) {
    float p = 2.0f / 9.0f;
    p = p * z + 2.0f / 7.0f;
    p = p * z + 2.0f / 5.0f;
    return p * z + 2.0f / 3.0f;
}

/* log(1 + e) for e in [0, 1]: above sqrt(2), 1 + e = 2 (1 + f) with f = (e - 1) / 2. */
TG_INLINE double tg_log1p_unit(double e) {
    double k = e > 0.41421356237309503 ? 1.0 : 0.0;
    double f = e > 0.41421356237309503 ? (e - 1.0) * 0.5 : e;
    double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
    double rest = s * (half + tg_log_tail(z) * z) + k * TG_LN2_LOW;
    return k * TG_LN2_HIGH - ((half - rest) - f);
}

TG_INLINE float tg_log1p_unitf(float e) {
    float k = e > 0.41421356f ? 1.0f : 0.0f;
    float f = e > 0.41421356f ? (e - 1.0f) * 0.5f : e;
    float s = f / (2.0f + f), z = s * s, half = 0.5f * f * f;
    float rest = s * (half + tg_log_tailf(z) * z) + k * TG_LN2_LOWF;
    return k * TG_LN2_HIGHF - ((half - rest) - f);
}

TG_INLINE double tg_log(double x) {
    int is_small = x < 0x1p-1022;
    uint64_t bits = tg_bits(is_small ? x * 0x1p54 : x) + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
    double k = tg_double((bits >> 52) | 0x4330000000000000) - 0x1p52 - 1023.0;
    k = is_small ? k - 54.0 : k;
    double m = tg_double((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
    double f = m - 1.0, s = f / (2.0 + f), z = s * s;
    double p = tg_log_tail(z);
    double half = 0.5 * f * f;
    /* 2 s = f - s f, and s f = f^2/2 - s f^2/2: the largest part of log(m) is exact. */
    double found = k * TG_LN2_HIGH - ((half - (s * (half + p * z) + k * TG_LN2_LOW)) - f);
    found = x == INFINITY ? x : found;
    found = x == 0.0 ? -INFINITY : found;
    return x >= 0.0 ? found : NAN;
}

TG_INLINE float tg_logf(float x) {
    int is_small = x < 0x1p-126f;
    uint32_t bits = tg_bitsf(is_small ? x * 0x1p25f : x) + (0x3f800000 - 0x3f3504f3);
    float k = (float)(int32_t)(bits >> 23) - 127.0f;
    k = is_small ? k - 25.0f : k;
    float m = tg_float((bits & 0x007fffff) + 0x3f3504f3);
    float f = m - 1.0f, s = f / (2.0f + f), z = s * s;
    float p = tg_log_tailf(z);
    float half = 0.5f * f * f;
    float found = k * TG_LN2_HIGHF - ((half - (s * (half + p * z) + k * TG_LN2_LOWF)) - f);
    found = x == INFINITY ? x : found;
    found = x == 0.0f ? -INFINITY : found;
    return x >= 0.0f ? found : NAN;
}

TG_INLINE double tg_log1p(double x) {
    double u = 1.0 + x;
    double lost = x >= 1.0 ? 1.0 - (u - x) : x - (u - 1.0);
    double rest = (u == INFINITY) | (u == 0.0) ? 0.0 : lost / u;
    double found = tg_log(u) + rest;
    return x == 0.0 ? x : found;
}

TG_INLINE float tg_log1pf(float x) {
    float u = 1.0f + x;
    float lost = x >= 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);
    float rest = (u == INFINITY) | (u == 0.0f) ? 0.0f : lost / u;
    float found = tg_logf(u) + rest;
    return x == 0.0f ? x : found;
}

/* Sine and cosine for |x| up to TG_FAR; beyond it, multiples of pi/2 need more digits.
   pi/2 is the sum of two parts of 33 bits, whose multiples by k < 2^20 are exact, and a
   rest; what remains of x is kept as a sum of two numbers, since near a multiple of pi/2
   hardly anything does. The series end at degree 17 and 16 (float, computed in double: 9
   and 10): remainders below 1e-19 and 2e-18 (2e-9, 2e-10) for |r| <= pi/4. */
#define TG_FAR 1e5
#define TG_TWO_BY_PI 0x1.45f306dc9c883p-1
#define TG_HALF_PI_1 0x1.921fb544p0
#define TG_HALF_PI_2 0x1.0b4611a6p-34
#define TG_HALF_PI_3 0x1.3198a2e037073p-69

/* sin(r + low) and cos(r + low), whichever the quadrant asks for, and its sign. */
TG_INLINE double tg_wave(double r, double low, uint64_t quadrant) {
    double z = r * r;
    double s = 1.0 / 355687428096000.0;
    s = s * z - 1.0 / 1307674368000.0;
    s = s * z + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800.0;
    s = s * z + 1.0 / 362880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    double c = 1.0 / 20922789888000.0;
    c = c * z - 1.0 / 87178291200.0;
    c = c * z + 1.0 / 479001600.0;
    c = c * z - 1.0 / 3628800.0;
    c = c * z + 1.0 / 40320.0;
    c = c * z - 1.0 / 720.0;
    c = c * z + 1.0 / 24.0;
    double half = 0.5 * z, one = 1.0 - half;
    double sine = r + (r * z * s + low * one);
    double cosine = one + (((1.0 - one) - half) + (z * z * c - r * low));
    double found = (quadrant & 1) ? cosine : sine;
    return tg_double(tg_bits(found) ^ ((quadrant & 2) << 62));
}

TG_INLINE double tg_turn(double x, uint64_t more) {
    double shifted = x * TG_TWO_BY_PI + TG_SHIFT;
    double k = shifted - TG_SHIFT;
    double first = x - k * TG_HALF_PI_1, w = k * TG_HALF_PI_2;
    double sum = first - w, back = sum - first;
    double rest = ((first - (sum - back)) - (w + back)) - k * TG_HALF_PI_3;
    double r = sum + rest, low = (sum - r) + rest;
    return tg_wave(r, low, tg_bits(shifted) + more);
}

TG_INLINE double tg_sin(double x) { return x == 0.0 ? x : tg_turn(x, 0); }
TG_INLINE double tg_cos(double x) { return tg_turn(x, 1); }

TG_INLINE float tg_turnf(float given, uint64_t more) {
    double x = given;
    double shifted = x * TG_TWO_BY_PI + TG_SHIFT;
    double k = shifted - TG_SHIFT;
    double r = (x - k * TG_HALF_PI_1) - k * TG_HALF_PI_2, z = r * r;
    double s = 1.0 / 362880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    double c = -1.0 / 3628800.0;
    c = c * z + 1.0 / 40320.0;
    c = c * z - 1.0 / 720.0;
    c = c * z + 1.0 / 24.0;
    c = c * z - 0.5;
    uint64_t quadrant = tg_bits(shifted) + more;
    double found = (quadrant & 1) ? 1.0 + z * c : r + r * z * s;
    return (float)tg_double(tg_bits(found) ^ ((quadrant & 2) << 62));
}

TG_INLINE float tg_sinf(float x) { return x == 0.0f ? x : tg_turnf(x, 0); }
TG_INLINE float tg_cosf(float x) { return tg_turnf(x, 1); }

#endif
