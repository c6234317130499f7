# SPDX-License-Identifier: Apache-2.0
# Kernel memory per stalled client, in KiB: opens CLIENTS connections that ask for 16 MiB and read
# nothing, and prints what the kernel holds more than before, divided by them.
#   python3 stalled.py PORT CLIENTS
import socket
import ssl
import sys
import time


def kernel_kib():
    fields = dict(line.split(':') for line in open('/proc/meminfo'))
    value = {name: int(text.split()[0]) for name, text in fields.items()}
    # What is neither free nor a file's nor a process's is the kernel's. Shmem is part of Cached.
    return (value['MemTotal'] - value['MemFree'] - value['Buffers'] - value['Cached']
            - value['AnonPages'])


port, clients = int(sys.argv[1]), int(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def ask():
    connection = context.wrap_socket(socket.create_connection(('127.0.0.1', port)))
    connection.sendall(b'GET /16m HTTP/1.1\r\nHost: localhost\r\n\r\n')
    return connection


ask().close()  # what is allocated once does not count
time.sleep(1)
before = kernel_kib()
connections = [ask() for _ in range(clients)]
time.sleep(4)
print((kernel_kib() - before) // clients)
