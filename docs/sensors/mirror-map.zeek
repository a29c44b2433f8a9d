##! Says in conn.log whose packets a mirrored connection is made of: the account, region, interface, instance, name and
##! tags that `mirrorctl map --format zeek` has for its outer address and VNI.
##!
##! A connection is left alone where the map has nothing for it, where what the map has is out of date, and where one
##! flow of VXLAN carries more than one VNI, so that nobody can tell.

@load base/protocols/conn
@load base/frameworks/input

module MirrorMap;

export {
	## The file that mirrorctl writes. It is read again whenever it changes.
	const file = "/etc/zeek/mirror-map.tsv" &redef;

	## How long the VNI of a flow of VXLAN is remembered after its last packet.
	const flow_timeout = 10 mins &redef;

	type Key: record {
		## The outer address: the primary address of the mirrored interface.
		address: addr;
		vni: count;
	};

	type Source: record {
		account: string &log;
		region: string &log;
		interface: string &log;
		instance: string &log &optional;
		name: string &log &optional;
		vpc: string &log &optional;
		zone: string &log &optional;
		tags: set[string] &log;
		expires: time;
	};

	## Who sends with which outer address and VNI.
	global sources: table[addr, count] of Source = table();
}

redef record Conn::Info += {
	## Where the packets of this connection were mirrored.
	mirror: Source &log &optional;
};

# The VNIs of a flow of VXLAN, by the flow's uid.
global vnis: table[string] of set[count] = table() &write_expire=flow_timeout;

event zeek_init()
	{
	Input::add_table([$source=file, $name="mirror-map", $idx=Key, $val=Source, $destination=sources,
	                  $mode=Input::REREAD]);
	}

event vxlan_packet(outer: connection, inner: pkt_hdr, vni: count)
	{
	if ( outer$uid !in vnis )
		vnis[outer$uid] = set();

	add vnis[outer$uid][vni];
	}

# conn.log is written at priority -5.
event connection_state_remove(c: connection)
	{
	if ( ! c?$conn || ! c?$tunnel || |c$tunnel| == 0 )
		return;

	local outer = c$tunnel[|c$tunnel| - 1];

	if ( outer$tunnel_type != Tunnel::VXLAN || ! outer?$uid || outer$uid !in vnis )
		return;

	if ( |vnis[outer$uid]| != 1 )
		return;

	for ( vni in vnis[outer$uid] )
		{
		# Copies go one way, so whoever sent the first packet of the flow is the source.
		local address = outer$cid$orig_h;

		if ( [address, vni] in sources && sources[address, vni]$expires > network_time() )
			c$conn$mirror = sources[address, vni];
		}
	}
