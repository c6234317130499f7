# SPDX-License-Identifier: Apache-2.0
# An appliance in small: boots, and serves its page on port 443. Something to begin with.
SUMMARY = "Example image with spliced"
LICENSE = "Apache-2.0"

inherit core-image

IMAGE_FEATURES += "read-only-rootfs"
IMAGE_INSTALL += "packagegroup-spliced spliced-data"

# The partition for the state, made by the product's partition table (wic). Empty: /data is not
# mounted, and the state is lost with power. With SPLICED_DATA_KEY it is what spliced-data-unlock opens.
SPLICED_DATA_DEVICE ?= "${@'/dev/mapper/spliced-data' if d.getVar('SPLICED_DATA_KEY') else 'LABEL=data'}"
SPLICED_DATA_OPTIONS ?= "noatime${@',x-systemd.requires=spliced-data-unlock.service' if d.getVar('SPLICED_DATA_KEY') else ''}"
SPLICED_DATA_DIR ?= "/data"
spliced_mount_data() {
    if [ -n "${SPLICED_DATA_DEVICE}" ]; then
        printf '%s %s auto %s 0 2\n' "${SPLICED_DATA_DEVICE}" "${SPLICED_DATA_DIR}" "${SPLICED_DATA_OPTIONS}" \
            >> ${IMAGE_ROOTFS}${sysconfdir}/fstab
    fi
}
ROOTFS_POSTPROCESS_COMMAND += "spliced_mount_data"

# RAUC would mark the slot good at boot, before spliced serves.
BAD_RECOMMENDATIONS += "rauc-mark-good"
