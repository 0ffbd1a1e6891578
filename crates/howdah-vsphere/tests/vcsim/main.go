// Command vcsim runs govmomi's vCenter simulator for the interop test. It takes the flags of the
// program of that name that the test uses and prints its address in the same form, so that either can
// be used. It ends when its standard input does, so that it cannot outlive the test.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	model := simulator.VPX()
	listen := flag.String("l", "127.0.0.1:0", "address to listen on")
	user := flag.String("username", "user", "user name")
	password := flag.String("password", "pass", "password")
	tls := flag.Bool("tls", true, "serve TLS; not supported here")
	flag.IntVar(&model.Folder, "folder", model.Folder, "number of folders")
	flag.IntVar(&model.Machine, "vm", model.Machine, "number of virtual machines per host or pool")
	flag.IntVar(&model.Portgroup, "pg", model.Portgroup, "number of port groups")
	flag.IntVar(&model.PortgroupNSX, "pg-nsx", model.PortgroupNSX, "number of NSX port groups")
	flag.IntVar(&model.OpaqueNetwork, "nsx", model.OpaqueNetwork, "number of opaque networks")
	flag.Parse()
	if *tls {
		log.Fatal("start it with -tls=false")
	}
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	model.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*user, *password)}
	server := model.Service.NewServer()
	defer server.Close()
	fmt.Printf("export GOVC_URL=%s\n", server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}
