#!/usr/bin/env python3
"""A long wire between network interfaces of one namespace: what one of them receives leaves the others
`delay` seconds later, unless it is lost. Kernels without netem need it.

  wire.py DELAY LOSS INTERFACE...     seconds; a share of the frames
"""
import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING, SO_RCVBUFFORCE = 3, 263, 15, 4, 33
FRAME_BYTES = 70000  # a frame that the kernel has not segmented yet, and its header
EARLY = 50e-6        # sooner than by so much is in time: fewer wake-ups


def attach(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
    s.bind((interface, ETH_P_ALL))
    s.setblocking(False)
    return s


def main():
    delay, loss = float(sys.argv[1]), float(sys.argv[2])
    ends = [attach(interface) for interface in sys.argv[3:]]
    waiting, count = [], 0  # (due, number, end, frame)
    while True:
        soonest = max(waiting[0][0] - time.monotonic() - EARLY, 0) if waiting else None
        for end in select.select(ends, [], [], soonest)[0]:
            frame, address = end.recvfrom(FRAME_BYTES)
            if address[2] == PACKET_OUTGOING or random.random() < loss:
                continue
            due = time.monotonic() + delay
            for other in ends:
                if other is not end:
                    heapq.heappush(waiting, (due, count, other, frame))
                    count += 1
        while waiting and waiting[0][0] <= time.monotonic() + EARLY:
            _, _, end, frame = heapq.heappop(waiting)
            try:
                end.send(frame)
            except OSError:  # the interface is down, or its queue is full
                pass


main()
