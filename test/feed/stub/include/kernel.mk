ifdef __package_mk
  $(error package.mk was included before kernel.mk)
endif
PKG_BUILD_DIR:=$(BUILD_ROOT)/linux/$(PKG_NAME)-$(PKG_VERSION)

AutoLoad=$(1) $(2)

define KernelPackage
  define Package/kmod-$(1)
    CATEGORY:=Kernel modules
    SECTION:=kernel
    $(value KernelPackage/$(1))
  endef
  define Package/kmod-$(1)/install
	@echo $$(FILES)
  endef
  $$(eval $$(call BuildPackage,kmod-$(1)))
endef
