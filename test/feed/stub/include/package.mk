__package_mk:=1

ifeq ($(PKG_FILE_DEPENDS),)
  $(error PKG_FILE_DEPENDS is not set)
endif

Build/Prepare=$(error the default Build/Prepare would look in ./src)

# As the original, this expands Build/Prepare when the Makefile is read, whatever is to be made.
# 1: name. Prints the definition, and makes the target install-NAME, which fills the directory DESTDIR.
define BuildPackage
  $(eval $(Package/Default))
  $(eval $(Package/$(1)))
  $(foreach field,CATEGORY SUBMENU SECTION TITLE DEPENDS PROVIDES CONFLICTS PKGARCH FILES AUTOLOAD,
    $(info $(1).$(field)=$($(field))))
  $(if $(Package/$(1)/config),$(info $(Package/$(1)/config)))
  install-$(1):
	$(Build/Prepare)
	$$(call Build/Compile)
	$$(call Package/$(1)/install,$$(DESTDIR))
endef

$(info PKG_VERSION=$(PKG_VERSION))
$(info PKG_MAINTAINER=$(PKG_MAINTAINER))
$(info PKG_FILE_DEPENDS=$(PKG_FILE_DEPENDS))
$(info PKG_CONFIG_DEPENDS=$(PKG_CONFIG_DEPENDS))
$(info PKG_PREPARED_DEPENDS=$(PKG_PREPARED_DEPENDS))
