/* One TLS connection, one LLM call, the end: `churn_client PORT MODEL`. Exit code 0 when the whole answer came.
 * Declares what it uses of OpenSSL, so that no headers are needed; the library is the one LD_LIBRARY_PATH finds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

extern const void *TLS_client_method(void);
extern void *SSL_CTX_new(const void *method);
extern void *SSL_new(void *context);
extern int SSL_set_fd(void *ssl, int fd);
extern int SSL_connect(void *ssl);
extern int SSL_write(void *ssl, const void *data, int size);
extern int SSL_read(void *ssl, void *data, int size);
extern int SSL_shutdown(void *ssl);
extern void SSL_free(void *ssl);

int main(int count, char **words)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char body[256], request[1024], answer[4096];
	int fd = socket(AF_INET, SOCK_STREAM, 0), have = 0, got;

	if (count != 3)
		return 2;
	to.sin_port = htons(atoi(words[1]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return 3;
	void *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		return 4;
	snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", words[2]);
	snprintf(request, sizeof(request),
		 "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(body), body);
	if (SSL_write(ssl, request, strlen(request)) <= 0)
		return 5;
	while (have < (int)sizeof(answer) && (got = SSL_read(ssl, answer + have, sizeof(answer) - have)) > 0)
		have += got;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	return have > 0 ? 0 : 6;
}
