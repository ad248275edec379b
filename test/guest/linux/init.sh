#!/bin/busybox sh
# The init of the Linux guest: it tries each virtio device that it finds, says PASS or FAIL for each, and powers off or gives a shell.
# Words on the kernel's command line choose more: `quick` only shows that user space runs, `echo` answers a line on the virtio console, `shell` ends in a
# shell, `url=...` is downloaded, `load` keeps disk and network busy at once. It needs busybox and the guest's own /bin/check, and runs from an initramfs as well as from the disk.
export PATH=/bin:/sbin
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp
given() { grep -qw "$1" /proc/cmdline; }
passed=0
failed=0
pass() { passed=$((passed + 1)); echo "CHECK $* PASS"; }
fail() { failed=$((failed + 1)); echo "CHECK $* FAIL"; }
end() { sync; poweroff -f; sleep 60; }

echo "GUEST-SHELL harts=$(grep -c ^processor /proc/cpuinfo) $(uname -srm)"
given quick && { echo "GUEST-OK quick"; end; }

for device in /sys/bus/virtio/devices/*; do
  [ -e "$device" ] || continue
  echo "VIRTIO $(basename "$device") id=$(cat "$device/device") status=$(cat "$device/status") driver=$(basename "$(readlink "$device/driver")")"
done

if [ -b /dev/vda ]; then
  # The disk is either the root already or mounted beside it.
  if grep -q '^/dev/vda\|^/dev/root' /proc/mounts; then disk=/; else disk=/mnt; mount -t ext4 /dev/vda /mnt || fail block-mount; fi
  files=$(wc -l < "$disk/data/sums.md5")
  good=$(cd "$disk/data" && md5sum -c sums.md5 2>/dev/null | grep -c ': OK$')
  if [ "$files" -gt 0 ] && [ "$good" = "$files" ]; then pass block-read "$good/$files"; else fail block-read "$good/$files"; fi
  dd if=/dev/urandom of="$disk/written" bs=64k count=16 conv=fsync 2>/dev/null
  sum=$(md5sum < "$disk/written")
  sync
  echo 3 > /proc/sys/vm/drop_caches
  if [ "$(wc -c < "$disk/written")" = 1048576 ] && [ "$sum" = "$(md5sum < "$disk/written")" ]; then pass block-write; else fail block-write; fi
  if check direct "$disk/direct"; then pass block-fsync; else fail block-fsync; fi
  [ "$disk" = / ] || umount /mnt
fi

if [ -c /dev/hwrng ]; then
  bytes=$(dd if=/dev/hwrng bs=16 count=1 2>/dev/null | od -An -tx1 | tr -d ' \n')
  if [ ${#bytes} = 32 ]; then pass entropy-device "$bytes"; else fail entropy-device "$bytes"; fi
fi
if [ -e /sys/class/net/eth0 ]; then
  ip link set lo up
  ip link set eth0 up
  if given dhcp; then
    if udhcpc -i eth0 -n -q -t 5 -s /bin/lease > /tmp/dhcp 2>&1; then pass net-dhcp "$(ip -o -4 addr show dev eth0 | awk '{print $4}')"; else cat /tmp/dhcp; fail net-dhcp; fi
    gateway=$(ip route | awk '/^default/ {print $3}')
    if ping -c 3 -i 0.2 -s 1000 "$gateway" > /tmp/ping 2>&1; then pass net-ping "$gateway"; else cat /tmp/ping; fail net-ping; fi
    if nslookup gateway.ringside.internal > /tmp/dns 2>&1 && grep -q "$gateway" /tmp/dns; then pass net-dns; else cat /tmp/dns; fail net-dns; fi
  fi
  url=$(sed -n 's/.*url=\([^ ]*\).*/\1/p' /proc/cmdline)
  if [ -n "$url" ]; then
    if sum=$(wget -q -O - "$url" | md5sum); then pass net-download "${sum%% *}"; else fail net-download; fi
  fi
fi
# Everything at once: a file is overwritten while it is being written back, files come and go, and two downloads and pings run beside them.
if given load; then
  [ "$disk" = / ] || mount -t ext4 /dev/vda /mnt
  for name in one two; do wget -q -O - "$url" 2>/dev/null | md5sum > "/tmp/$name" & done
  ping -c 100 -i 0.01 -s 1400 "$gateway" > /tmp/pings 2>&1 &
  for round in 1 2 3 4 5 6; do
    yes "first $round" | head -c 300000 > "$disk/again"
    sync &
    yes "again $round" | head -c 300000 | dd of="$disk/again" bs=4k conv=notrunc 2>/dev/null
    cp "$disk/data/1000000.bin" "$disk/copy.$round"
    rm -f "$disk/copy.$((round - 1))"
  done
  wait
  sync
  echo 3 > /proc/sys/vm/drop_caches
  wanted=$(yes "again 6" | head -c 300000 | md5sum)
  if [ "$(md5sum < "$disk/again")" = "$wanted" ] && cmp -s "$disk/copy.6" "$disk/data/1000000.bin"; then pass load-block; else fail load-block; fi
  if [ "$(cat /tmp/one)" = "$sum" ] && [ "$(cat /tmp/two)" = "$sum" ] && grep -q ' 0% packet loss' /tmp/pings; then pass load-net; else cat /tmp/one /tmp/two /tmp/pings; fail load-net; fi
  [ "$disk" = / ] || umount /mnt
fi
if check getrandom; then pass getrandom; else fail getrandom; fi

# hvc0 is the console of the SBI; the virtio console comes behind it.
console=/dev/hvc1
if ls /sys/bus/virtio/drivers/virtio_console/virtio* > /tmp/consoles 2>&1; then
  if given echo; then
    # Held open: what comes while nobody has the console open is lost. Raw: what comes back is the guest's answer, not the terminal's.
    exec 3<> "$console"
    stty raw -echo <&3
    echo "CONSOLE-READY" >&3
    read -r line <&3
    echo "heard $line" >&3
    exec 3>&-
    pass console-echo "$line"
  elif echo "hello from the virtio console" > "$console"; then pass console-write; else fail console-write; fi
fi

if [ "$(hwclock -u -r 2>/dev/null | wc -l)" = 1 ]; then pass rtc; else fail rtc; fi
grep -E 'CPU|virtio|timer|IPI' /proc/interrupts
echo "GUEST-DONE passed=$passed failed=$failed"
if [ "$failed" = 0 ]; then echo "GUEST-OK linux $(uname -r)"; else echo "GUEST-BAD linux"; fi
given shell && { echo "GUEST-PROMPT"; exec setsid cttyhack sh; }
end
