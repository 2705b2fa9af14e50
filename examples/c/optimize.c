/* A request-time schedule from C: flow models shift their noise schedule with the image's size.
 *
 *     hso_c_optimize [SHIFT [NFE]]     default: 3 and 6
 *
 * Prints the sigmas that a sampler takes, one a line. examples/c/ctypes_example.py does the same from Python. */
#include <stdio.h>
#include <stdlib.h>

#include <hso/hso.h>

#define MOST_NFE 100

static int optimize(double shift, int nfe, hso_error* error) {
    double sigmas[MOST_NFE + 1];
    hso_noise* noise = NULL;
    hso_workspace* workspace = NULL; /* one per thread: repeated calls allocate nothing */
    hso_options options;
    hso_schedule schedule = {.size = sizeof schedule, .capacity = MOST_NFE + 1, .sigmas = sigmas};

    if (hso_noise_flow(shift, &noise, error) == HSO_OK && hso_workspace_create(&workspace, error) == HSO_OK &&
        hso_options_init(&options, sizeof options, error) == HSO_OK) {
        options.terminal = HSO_TERMINAL_ZERO;
        if (hso_optimize(noise, nfe, &options, workspace, &schedule, error) == HSO_OK)
            for (int i = 0; i <= schedule.nfe; ++i) printf("%.17g\n", sigmas[i]);
    }
    hso_workspace_free(workspace);
    hso_noise_free(noise);
    return error->code;
}

int main(int argc, char** argv) {
    const double shift = argc > 1 ? strtod(argv[1], NULL) : 3.0;
    const int nfe = argc > 2 ? atoi(argv[2]) : 6;
    hso_error error;
    if (optimize(shift, nfe, &error) == HSO_OK) return 0;
    fprintf(stderr, "hso %s: %s\n", hso_version(), error.message);
    return 1;
}
