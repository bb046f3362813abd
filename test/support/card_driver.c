// A Vulkan driver for tests: SwiftShader, dressed as a GPU in a slot. Its file tells which: "Alpha 8GB_41.so" is a card
// named Alpha 8GB at 0000:41:00.0. CARD_DRIVER names SwiftShader's library. WebGPU tells equal cards not apart, so that
// this says on stderr on which one a device is opened. With CARD_DIES or CARD_SLEEPS in the environment it does that.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*Function)(void);
typedef Function (*Lookup)(void *instance, const char *name);
typedef struct { char name[256]; uint32_t version; } Extension;
typedef struct Chain { uint32_t type; struct Chain *next; } Chain;
typedef struct { uint32_t type; void *next; uint32_t domain, bus, device, function; } PciBusInfo;
enum { INCOMPLETE = 5, INITIALIZATION_FAILED = -3, PCI_BUS_INFO = 1000212000, VENDOR = 0x10de, DEVICE = 0xffff, DISCRETE = 2, CPU = 4 };
static const char EXTENSION[] = "VK_EXT_pci_bus_info";

static Lookup lookup;
static void *driver;
static char name[256];
static unsigned bus;

static int load(void) {
  if (driver) return 1;
  if (getenv("CARD_DIES")) abort();
  while (getenv("CARD_SLEEPS")) pause();
  Dl_info self;
  dladdr((void *)load, &self);
  sscanf(strrchr(self.dli_fname, '/'), "/%255[^_]_%x", name, &bus);
  driver = dlopen(getenv("CARD_DRIVER"), RTLD_NOW | RTLD_LOCAL);
  if (!driver) return 0;
  lookup = (Lookup)dlsym(driver, "vk_icdGetInstanceProcAddr");
  return lookup != 0;
}

static void *anInstance; // its functions serve all
static Function real(const char *function) { return lookup(anInstance, function); }

/* VkPhysicalDeviceProperties: apiVersion, driverVersion, vendorID, deviceID, deviceType, deviceName[256] … */
static void disguise(uint32_t *properties) {
  properties[2] = VENDOR;
  properties[3] = DEVICE;
  properties[4] = strcmp(name, "llvmpipe") ? DISCRETE : CPU;
  strcpy((char *)(properties + 5), name);
}

static void getProperties(void *card, uint32_t *properties) {
  ((void (*)(void *, uint32_t *))real("vkGetPhysicalDeviceProperties"))(card, properties);
  disguise(properties);
}

static void getProperties2(void *card, Chain *properties) {
  // SwiftShader would complain about what it does not know.
  Chain *before = properties;
  while (before->next && before->next->type != PCI_BUS_INFO) before = before->next;
  PciBusInfo *info = (PciBusInfo *)before->next;
  if (info) before->next = info->next;
  ((void (*)(void *, Chain *))real("vkGetPhysicalDeviceProperties2"))(card, properties);
  disguise((uint32_t *)(properties + 1));
  if (!info) return;
  before->next = (Chain *)info;
  info->domain = info->device = info->function = 0;
  info->bus = bus;
}

static int getExtensions(void *card, const char *layer, uint32_t *count, Extension *extensions) {
  int (*next)(void *, const char *, uint32_t *, Extension *) =
      (int (*)(void *, const char *, uint32_t *, Extension *))real("vkEnumerateDeviceExtensionProperties");
  uint32_t own = 0, room = *count;
  next(card, layer, &own, 0);
  *count = own + 1;
  if (!extensions) return 0;
  if (room < own + 1) { *count = room; return next(card, layer, count, extensions), INCOMPLETE; }
  next(card, layer, &own, extensions);
  strcpy(extensions[own].name, EXTENSION);
  extensions[own].version = 2;
  return 0;
}

static int createDevice(void *card, const void *info, const void *allocator, void **device) {
  fprintf(stderr, "opened 0000:%02x:00.0\n", bus);
  return ((int (*)(void *, const void *, const void *, void **))real("vkCreateDevice"))(card, info, allocator, device);
}

Function vk_icdGetInstanceProcAddr(void *instance, const char *function) {
  if (!load()) return 0;
  if (instance) anInstance = instance;
  if (!strcmp(function, "vkGetPhysicalDeviceProperties")) return (Function)getProperties;
  if (!strncmp(function, "vkGetPhysicalDeviceProperties2", 30)) return (Function)getProperties2;
  if (!strcmp(function, "vkEnumerateDeviceExtensionProperties")) return (Function)getExtensions;
  if (!strcmp(function, "vkCreateDevice")) return (Function)createDevice;
  return lookup(instance, function);
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
  if (!load()) return INITIALIZATION_FAILED;
  return ((int (*)(uint32_t *))dlsym(driver, __func__))(version);
}
