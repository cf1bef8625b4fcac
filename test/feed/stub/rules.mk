# The little of OpenWrt's build system that the feed's Makefile uses, so that it can be run without an OpenWrt tree.
# Like the original it changes MAKEFILE_LIST, forgets nothing, and wants its parts in their order.
INCLUDE_DIR:=$(TOPDIR)/include

INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
CP:=cp -fpR
KERNEL_MAKE:=@echo kernel-make
ERROR_MESSAGE={ printf "%s\\n" "$(1)"; } >&2

.DEFAULT_GOAL:=nothing
nothing:
	@:

define Package/Default
  CATEGORY:=Extra packages
  SECTION:=opt
  SUBMENU:=
  TITLE:=
  DEPENDS:=
  PROVIDES:=
  CONFLICTS:=
  PKGARCH:=
  FILES:=
  AUTOLOAD:=
endef
