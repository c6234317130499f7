# SPDX-License-Identifier: Apache-2.0
require stub.inc
inherit native
do_install() {
    install -d ${D}${libdir}/rpm ${D}${bindir}
    printf '#!/bin/sh\nexec /usr/lib/rpm/rpmdeps "$@"\n' > ${D}${libdir}/rpm/rpmdeps
    chmod 0755 ${D}${libdir}/rpm/rpmdeps
}
