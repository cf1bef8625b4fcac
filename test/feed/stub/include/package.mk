__package_mk:=1

ifeq ($(PKG_FILE_DEPENDS),)
  $(error PKG_FILE_DEPENDS is not set)
endif
ifneq ($(filter-out $(firstword $(PKG_FILE_DEPENDS)),$(PKG_FILE_DEPENDS)),)
  $(error PKG_FILE_DEPENDS has more than one word)
endif

Build/Prepare=$(error the default Build/Prepare would look in ./src)

# 1: name. Prints the definition, and makes the target install-NAME, which fills the directory DESTDIR.
define BuildPackage
  $(eval $(Package/Default))
  $(eval $(Package/$(1)))
  $(foreach field,CATEGORY SUBMENU SECTION TITLE DEPENDS PROVIDES CONFLICTS PKGARCH FILES AUTOLOAD,
    $(info $(1).$(field)=$($(field))))
  install-$(1):
	$$(call Build/Prepare)
	$$(call Build/Compile)
	$$(call Package/$(1)/install,$$(DESTDIR))
endef

$(info PKG_VERSION=$(PKG_VERSION))
$(info PKG_MAINTAINER=$(PKG_MAINTAINER))
$(info PKG_FILE_DEPENDS=$(PKG_FILE_DEPENDS))
