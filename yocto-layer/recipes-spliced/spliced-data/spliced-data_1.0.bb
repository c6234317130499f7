# SPDX-License-Identifier: Apache-2.0
# For a root file system that is read-only: the state of services with DynamicUser=, spliced among
# them, on the data partition. It has to be mounted (fstab); this does the rest. With SPLICED_DATA_KEY
# the partition is on dm-crypt, with a key that this device alone has (docs/KEYS.md).
SUMMARY = "State of spliced on the data partition"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

inherit systemd features_check allarch
REQUIRED_DISTRO_FEATURES = "systemd"

SPLICED_DATA_DIR ?= "/data"
# Where the key comes from: tpm, caam or tee; empty: the partition is not encrypted.
SPLICED_DATA_KEY ?= ""
SPLICED_DATA_RAW_DEVICE ?= "/dev/disk/by-partlabel/data"
SRC_URI = "file://var-lib-private.mount file://state-on-data.conf \
    file://spliced-data-unlock file://spliced-data-unlock.service"
# Before whinlatter files were unpacked into WORKDIR.
S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${systemd_system_unitdir}
    sed 's#@DATA@#${SPLICED_DATA_DIR}#g' ${S}/var-lib-private.mount \
        > ${D}${systemd_system_unitdir}/var-lib-private.mount
    chmod 0644 ${D}${systemd_system_unitdir}/var-lib-private.mount
    install -D -m 0644 ${S}/state-on-data.conf \
        ${D}${systemd_system_unitdir}/spliced.service.d/state-on-data.conf
    # What systemd would make itself if it could write there.
    install -d -m 0700 ${D}${localstatedir}/lib/private
    ln -s private/spliced ${D}${localstatedir}/lib/spliced
    install -d ${D}${SPLICED_DATA_DIR}
    if [ -n "${SPLICED_DATA_KEY}" ]; then
        install -D -m 0755 ${S}/spliced-data-unlock ${D}${libexecdir}/spliced-data-unlock
        sed -e 's#@DEVICE@#${SPLICED_DATA_RAW_DEVICE}#g' -e 's#@SOURCE@#${SPLICED_DATA_KEY}#g' \
            -e 's#@LIBEXECDIR@#${libexecdir}#g' ${S}/spliced-data-unlock.service \
            > ${D}${systemd_system_unitdir}/spliced-data-unlock.service
        chmod 0644 ${D}${systemd_system_unitdir}/spliced-data-unlock.service
    fi
}

FILES:${PN} = "${systemd_system_unitdir} ${localstatedir}/lib ${SPLICED_DATA_DIR} ${libexecdir}"
# The data partition's line of fstab asks for spliced-data-unlock: nothing to enable.
SYSTEMD_SERVICE:${PN} = "var-lib-private.mount"
# udev's rules of the device mapper are a package of their own in scarthgap alone.
SPLICED_DATA_PROGRAMS = "keyutils libdevmapper e2fsprogs-mke2fs \
    ${@bb.utils.contains('LAYERSERIES_CORENAMES', 'scarthgap', 'lvm2-udevrules', '', d)} \
    ${@'tpm2-tools' if d.getVar('SPLICED_DATA_KEY') == 'tpm' else ''}"
RDEPENDS:${PN} = "${@d.getVar('SPLICED_DATA_PROGRAMS') if d.getVar('SPLICED_DATA_KEY') else ''}"
