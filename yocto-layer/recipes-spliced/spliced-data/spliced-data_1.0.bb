# SPDX-License-Identifier: Apache-2.0
# For a root file system that is read-only: the state of services with DynamicUser=, spliced among
# them, on the data partition. It has to be mounted (fstab); this does the rest.
SUMMARY = "State of spliced on the data partition"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

inherit systemd features_check allarch
REQUIRED_DISTRO_FEATURES = "systemd"

SPLICED_DATA_DIR ?= "/data"
SRC_URI = "file://var-lib-private.mount file://state-on-data.conf"
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
}

FILES:${PN} = "${systemd_system_unitdir} ${localstatedir}/lib ${SPLICED_DATA_DIR}"
SYSTEMD_SERVICE:${PN} = "var-lib-private.mount"
