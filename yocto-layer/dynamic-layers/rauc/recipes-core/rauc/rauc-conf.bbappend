# SPDX-License-Identifier: Apache-2.0
# Off unless asked for: a product has its own system.conf.
SPLICED_RAUC_EXAMPLE ?= "0"
FILESEXTRAPATHS:prepend := "${@d.getVar('THISDIR') + '/files/spliced:' if d.getVar('SPLICED_RAUC_EXAMPLE') == '1' else ''}"
do_install:append() {
    if [ "${SPLICED_RAUC_EXAMPLE}" = 1 ]; then
        sed -i 's#@MACHINE@#${MACHINE}#g' ${D}${sysconfdir}/rauc/system.conf
    fi
}
