/* Hold a pod's namespaces open: wait for the signal to end, and reap what the pod leaves behind.

   With -v say the version and end: kubeadm's health check before an upgrade is a Job that does that. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signal) { (void)signal; _exit(0); }

static void reap(int signal) {
	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0);
}

int main(int count, char *words[]) {
	if (count > 1 && !strcmp(words[1], "-v")) {
		puts("pause " VERSION);
		return EXIT_SUCCESS;
	}
	struct sigaction on_end = {.sa_handler = leave}, on_child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
	if (sigaction(SIGINT, &on_end, NULL) || sigaction(SIGTERM, &on_end, NULL) || sigaction(SIGCHLD, &on_child, NULL))
		return EXIT_FAILURE;
	for (;;) pause();
}
