# SPDX-License-Identifier: GPL-2.0-only
#
# The packages kmod-mapmint, map-mdpc, mapminctl and luci-app-mapmin of the feed; mapmin/Makefile includes this file.
#
# A package definition at a feed's root breaks the feed: the scanner cuts the wrong part of its path and then drops all
# of it without an error. So this file must not match the scanner's pattern, which has one space after `call`: ours have
# two. For the same reason no file named Makefile elsewhere in this repository may match it.

# Before any include, which would change MAKEFILE_LIST. The build runs in mapmin/, so every path starts from here.
MAPMIN_DIR:=$(abspath $(dir $(lastword $(MAKEFILE_LIST))))

include $(TOPDIR)/rules.mk

PKG_NAME:=mapmin
PKG_VERSION:=0.1.0
PKG_RELEASE:=1

PKG_MAINTAINER:=The mapmin maintainers <maintainers@users.noreply.r-seed-b6b9a618.example>
# Ours is the GPL; MIT and ISC are those of the libraries inside the bundle.
PKG_LICENSE:=GPL-2.0-only MIT ISC
PKG_LICENSE_FILES:=LICENSE LICENSES/ini LICENSES/zod

# The sources lie outside the package's own directory: without this a change of them would not build anything anew. What is
# not listed (node_modules, .git) is not looked at.
PKG_FILE_DEPENDS:=$(addprefix $(MAPMIN_DIR)/,Makefile LICENSE files netifd-proto src/kmod)
PKG_CONFIG_DEPENDS:=CONFIG_MAPMIN_NODE CONFIG_MAPMIN_QUICKJS
# What Build/Prepare refuses is also refused when it is selected after a build.
PKG_PREPARED_DEPENDS:=CONFIG_PACKAGE_kmod-mapmint CONFIG_PACKAGE_kmod-nat46

# kernel.mk first: it puts the build directory under the kernel's, which package.mk would else decide otherwise.
include $(INCLUDE_DIR)/kernel.mk
include $(INCLUDE_DIR)/package.mk

# For the package alone, not for the menu's metadata: 464xlat selects kmod-nat46 unless this provides it, which with a
# conflict in the menu makes Kconfig report a recursive dependency.
MAPMINT_CONFLICTS:=$(if $(DUMP),,kmod-nat46)

define KernelPackage/mapmint
  SUBMENU:=Network Support
  TITLE:=MAP-T translation and NAT into the port set
  DEPENDS:=@IPV6 +kmod-nf-conntrack +kmod-nf-nat
  PROVIDES:=kmod-nat46
  CONFLICTS:=$(MAPMINT_CONFLICTS)
  FILES:=$(PKG_BUILD_DIR)/mapmint.ko
  AUTOLOAD:=$(call AutoLoad,33,mapmint)
endef

define KernelPackage/mapmint/description
 The data path of a MAP customer edge: translation between IPv4 and IPv6
 (RFC 7599, RFC 7915) with the control file /proc/net/nat46/control.
 Takes the place of kmod-nat46.
endef

define Package/map-mdpc
  SECTION:=net
  CATEGORY:=Network
  TITLE:=MAP-T, MAP-E and lw4o6 provisioning and protocol handler
  DEPENDS:=@IPV6 @(MAPMIN_HAS_NODE||MAPMIN_HAS_QUICKJS) +MAPMIN_NODE:node +MAPMIN_QUICKJS:quickjs \
	+kmod-ip6-tunnel +kmod-nft-nat +nftables-json +conntrack
  PROVIDES:=map-t
  CONFLICTS:=map
  PKGARCH:=all
endef

define Package/map-mdpc/description
 Makes the router a MAP customer edge (RFC 7597, 7599, 7596): reads the rule
 from DHCPv6 (option 48879, or RFC 7598's) or from /etc/config/network, and
 serves the netifd protocol "map". Takes the place of the package map.

 Runs on Node or on QuickJS, and is offered where the feeds have one of them
 for the target: OpenWrt 24.10 has Node (x86, arm and aarch64 with an FPU) and
 no QuickJS, 25.12 and later have QuickJS.
endef

# Whether there is an engine is known when all feeds have been read: the menu looks into the list that is made of them, where
# packages that are built for the host alone (25.12's node) do not occur. The choice must not depend on the package: what the
# package selects would then depend on the package, which Kconfig calls recursive.
define Package/map-mdpc/config
	config MAPMIN_HAS_NODE
		bool
		default y if HAS_FPU && (i386 || x86_64 || arm || aarch64) && "$$(shell,grep -qsx '.*config PACKAGE_node' tmp/.config-package.in && echo y)" = "y"

	config MAPMIN_HAS_QUICKJS
		bool
		default y if "$$(shell,grep -qsx '.*config PACKAGE_quickjs' tmp/.config-package.in && echo y)" = "y"

	choice
		prompt "mapmin: what its programs run on"
		depends on MAPMIN_HAS_NODE || MAPMIN_HAS_QUICKJS
		default MAPMIN_NODE if MAPMIN_HAS_NODE
		default MAPMIN_QUICKJS
		help
		  QuickJS takes 1 MB of flash and starts at once. Node takes 50 MB and
		  more. The programs do the same on both.

		config MAPMIN_NODE
			bool "Node"
			depends on MAPMIN_HAS_NODE

		config MAPMIN_QUICKJS
			bool "QuickJS"
			depends on MAPMIN_HAS_QUICKJS
	endchoice

	comment "map-mdpc, mapminctl: the feeds have neither Node nor QuickJS for this target"
		depends on IPV6 && !MAPMIN_HAS_NODE && !MAPMIN_HAS_QUICKJS
endef

define Package/mapminctl
  SECTION:=net
  CATEGORY:=Network
  TITLE:=MAP customer edge: control, status, explanation
  DEPENDS:=+map-mdpc +kmod-mapmint
  CONFLICTS:=map
  PKGARCH:=all
endef

define Package/mapminctl/description
 Shows, explains and calculates MAP customer edges, and selects everything
 that one needs: the protocol handler, the kernel module, an engine.
 While the package map is selected for the image, this one is not.
endef

# Without luci.mk, which is in the LuCI feed: this feed must be usable without that one.
define Package/luci-app-mapmin
  SECTION:=luci
  CATEGORY:=LuCI
  SUBMENU:=3. Applications
  TITLE:=MAP customer edge: status page and form for LuCI
  DEPENDS:=@MAPMIN_HAS_LUCI +mapminctl +luci-base
  PKGARCH:=all
endef

define Package/luci-app-mapmin/description
 Shows in LuCI what the provider sent, the 65,536 ports and which of ours are
 in use by whom, what is wrong, and the log. Has a form for the options of
 MAP interfaces that LuCI's own does not know.
endef

# What is selected but in no feed, the menu passes over in silence, and the image fails at its end.
define Package/luci-app-mapmin/config
	config MAPMIN_HAS_LUCI
		bool
		default y if "$$(shell,grep -qsx '.*config PACKAGE_luci-base' tmp/.config-package.in && echo y)" = "y"
endef

# As packages of the LuCI feed do: LuCI keeps its menu, and rpcd its access lists.
define Package/luci-app-mapmin/postinst
#!/bin/sh
[ -n "$${IPKG_INSTROOT}" ] || {
	rm -f /tmp/luci-indexcache.*
	rm -rf /tmp/luci-modulecache/
	/etc/init.d/rpcd reload 2>/dev/null
	exit 0
}
endef

# Nothing is downloaded: the bundle comes with the feed, because a build has no npm. `sh test/feed/bundle update` makes it.
# In the menu kmod-nat46 can stand beside kmod-mapmint (see MAPMINT_CONFLICTS); in an image it cannot, which is said before
# anything is built. Not with make's `error`: a build without V=s does not show it, and `clean` would stop at it too.
define Build/Prepare
	$(if $(and $(filter y,$(CONFIG_PACKAGE_kmod-mapmint)),$(filter y,$(CONFIG_PACKAGE_kmod-nat46))), \
		$(call ERROR_MESSAGE,mapmin: kmod-nat46 and kmod-mapmint cannot be in one image: deselect kmod-nat46); exit 1)
	mkdir -p $(PKG_BUILD_DIR)
	$(CP) $(MAPMIN_DIR)/src/kmod/Makefile $(MAPMIN_DIR)/src/kmod/*.[ch] $(PKG_BUILD_DIR)/
	$(foreach dir,core nat net,mkdir -p $(PKG_BUILD_DIR)/$(dir) && \
		$(CP) $(MAPMIN_DIR)/src/kmod/$(dir)/*.[ch] $(PKG_BUILD_DIR)/$(dir)/ &&) :
	$(CP) $(MAPMIN_DIR)/LICENSE $(MAPMIN_DIR)/files/usr/lib/mapmin/LICENSES $(PKG_BUILD_DIR)/
endef

define Build/Configure
endef

# The module is not built for who selects the programs alone.
define Build/Compile
	$(if $(CONFIG_PACKAGE_kmod-mapmint),$(KERNEL_MAKE) M="$(PKG_BUILD_DIR)" modules)
endef

define Package/map-mdpc/install
	$(INSTALL_DIR) $(1)/usr/lib/mapmin/LICENSES $(1)/lib/netifd/proto $(1)/usr/sbin
	$(INSTALL_DIR) $(1)/etc/odhcp6c.user.d $(1)/etc/hotplug.d/iface $(1)/usr/share/nftables.d/chain-post/forward
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/usr/lib/mapmin/*.cjs $(MAPMIN_DIR)/files/usr/lib/mapmin/*.sh $(1)/usr/lib/mapmin/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/usr/lib/mapmin/LICENSES/* $(1)/usr/lib/mapmin/LICENSES/
	$(INSTALL_BIN) $(MAPMIN_DIR)/netifd-proto/map.sh $(1)/lib/netifd/proto/
	$(INSTALL_BIN) $(MAPMIN_DIR)/files/usr/sbin/mdpc $(1)/usr/sbin/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/etc/odhcp6c.user.d/mapmin $(1)/etc/odhcp6c.user.d/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/etc/hotplug.d/iface/30-mapmin $(1)/etc/hotplug.d/iface/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/usr/share/nftables.d/chain-post/forward/mapmin.nft $(1)/usr/share/nftables.d/chain-post/forward/
endef

define Package/mapminctl/install
	$(INSTALL_DIR) $(1)/usr/sbin
	$(INSTALL_BIN) $(MAPMIN_DIR)/files/usr/sbin/mapminctl $(1)/usr/sbin/
endef

define Package/luci-app-mapmin/install
	$(INSTALL_DIR) $(1)/www/luci-static/resources/mapmin $(1)/www/luci-static/resources/view/mapmin
	$(INSTALL_DIR) $(1)/usr/share/luci/menu.d $(1)/usr/share/rpcd/acl.d $(1)/usr/lib/lua/luci/i18n
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/www/luci-static/resources/mapmin/*.js $(1)/www/luci-static/resources/mapmin/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/www/luci-static/resources/view/mapmin/*.js \
		$(1)/www/luci-static/resources/view/mapmin/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/usr/share/luci/menu.d/luci-app-mapmin.json $(1)/usr/share/luci/menu.d/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/usr/share/rpcd/acl.d/luci-app-mapmin.json $(1)/usr/share/rpcd/acl.d/
	$(INSTALL_DATA) $(MAPMIN_DIR)/files/usr/lib/lua/luci/i18n/*.lmo $(1)/usr/lib/lua/luci/i18n/
endef

$(eval $(call  KernelPackage,mapmint))
$(eval $(call  BuildPackage,map-mdpc))
$(eval $(call  BuildPackage,mapminctl))
$(eval $(call  BuildPackage,luci-app-mapmin))
