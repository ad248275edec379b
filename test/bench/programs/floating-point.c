/* Double and single precision: planets in motion, matrix products, Mandelbrot set, roots and quotients. */

#include "processor.h"

enum { BODIES = 5, SIZE = 48 };
static double position[BODIES][3], velocity[BODIES][3], mass[BODIES];
static double left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

static double root(double value) {
    __asm__("fsqrt.d %0, %1" : "=f"(value) : "f"(value));
    return value;
}

static double planets(int steps) {
    for (int i = 0; i < BODIES; i++) {
        mass[i] = 1.0 / (i + 1);
        for (int axis = 0; axis < 3; axis++) {
            position[i][axis] = (i + 1) * 1.7 + axis * 0.9 - 3.1;
            velocity[i][axis] = 0.01 * (i - 2) * (axis + 1);
        }
    }
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < BODIES; i++) {
            for (int j = i + 1; j < BODIES; j++) {
                double delta[3];
                double square = 0.01;
                for (int axis = 0; axis < 3; axis++) {
                    delta[axis] = position[i][axis] - position[j][axis];
                    square += delta[axis] * delta[axis];
                }
                double strength = 0.001 / (square * root(square));
                for (int axis = 0; axis < 3; axis++) {
                    velocity[i][axis] -= delta[axis] * mass[j] * strength;
                    velocity[j][axis] += delta[axis] * mass[i] * strength;
                }
            }
        }
        for (int i = 0; i < BODIES; i++) {
            for (int axis = 0; axis < 3; axis++) {
                position[i][axis] += 0.001 * velocity[i][axis];
            }
        }
    }
    return position[0][0] + velocity[1][1];
}

static double matrices(void) {
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = i * 0.37 - j * 0.11;
            right[i][j] = 1.0 / (i + j + 1);
        }
    }
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            double sum = 0;
            for (int k = 0; k < SIZE; k++) {
                sum += left[i][k] * right[k][j];
            }
            product[i][j] = sum;
        }
    }
    return product[3][5] + product[SIZE - 1][SIZE - 2];
}

static int mandelbrot(void) {
    int inside = 0;
    for (int row = 0; row < 48; row++) {
        for (int column = 0; column < 64; column++) {
            float x0 = (float)column / 24 - 2, y0 = (float)row / 24 - 1;
            float x = 0, y = 0;
            int round = 0;
            while (round < 60 && x * x + y * y < 4) {
                float next = x * x - y * y + x0;
                y = 2 * x * y + y0;
                x = next;
                round++;
            }
            inside += round;
        }
    }
    return inside;
}

int main(void) {
    csr_set(mstatus, MSTATUS_FS);
    print("begin\n");
    double result = 0;
    for (int round = 0; round < ROUNDS; round++) {
        result = result / 3 + planets(500) + matrices() + mandelbrot();
    }
    union {
        double value;
        uint64_t bits;
    } seen = {.value = result};
    report("end", seen.bits);
    finish(0);
}
