# SPDX-License-Identifier: Apache-2.0
require stub.inc
SYSROOT_DIRS += "${sysconfdir}"
SYSROOT_PREPROCESS_FUNCS += "stub_sysroot"
do_install() {
    install -D -m 0644 /usr/share/base-passwd/passwd.master ${D}${datadir}/base-passwd/passwd.master
    install -D -m 0644 /usr/share/base-passwd/group.master ${D}${datadir}/base-passwd/group.master
}
stub_sysroot() {
    mkdir -p ${SYSROOT_DESTDIR}${bindir}
    cat > ${SYSROOT_DESTDIR}${bindir}/postinst-${PN} <<X
#!/bin/sh -e
install -d -m 755 ${STAGING_DIR_TARGET}${sysconfdir}
for i in passwd group; do install -p -m 644 ${STAGING_DIR_TARGET}${datadir}/base-passwd/\$i.master ${STAGING_DIR_TARGET}${sysconfdir}/\$i; done
for s in ${STAGING_DIR_TARGET}${bindir}/postinst-useradd-*; do if [ -f \$s ]; then \$s; fi; done
X
    chmod 0755 ${SYSROOT_DESTDIR}${bindir}/postinst-${PN}
}
FILES:${PN} = "${datadir}/base-passwd"
