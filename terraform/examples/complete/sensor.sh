#!/bin/sh
# A stand-in for a sensor that shows whether packets arrive. It counts the packets of each VXLAN network identifier
# (VNI) and prints the counts to the instance's console once a minute. Port 8080 answers health checks.
cat >/usr/local/bin/sensor <<'PYTHON'
import collections, http.server, socket, threading, time

health = http.server.ThreadingHTTPServer(("", 8080), http.server.BaseHTTPRequestHandler)
threading.Thread(target=health.serve_forever, daemon=True).start()

packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
packets.bind(("", 4789))
packets.settimeout(1)
counts, due = collections.Counter(), time.monotonic() + 60
while True:
    try:
        packet = packets.recv(65535)
        counts[int.from_bytes(packet[4:7], "big")] += 1
    except socket.timeout:
        pass
    if time.monotonic() >= due:
        print("sensor: packets by VNI:", dict(counts), flush=True)
        due += 60
PYTHON
systemd-run --unit sensor --property DynamicUser=yes --property Restart=always \
  --property StandardOutput=journal+console python3 /usr/local/bin/sensor
