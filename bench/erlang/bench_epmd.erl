%% In place of epmd, so that nothing outlives the bench: the number at the end of a node's name is its port (far-4711@127.0.0.1).
-module(bench_epmd).

-export([start_link/0, register_node/2, register_node/3, listen_port_please/2, port_please/2, port_please/3, address_please/3, names/1]).
-export([port_of_node/1]).

%% What OTP 23 and later write of themselves.
-define(DISTRIBUTION_VERSION, 6).

start_link() -> ignore.

register_node(Name, Port) -> register_node(Name, Port, inet).

register_node(_Name, _Port, _Family) -> {ok, erlang:system_time(second) band 16#ffff}.

listen_port_please(Name, _Host) -> {ok, port_of(Name)}.

port_please(Name, _Host) -> {port, port_of(Name), ?DISTRIBUTION_VERSION}.

port_please(Name, Host, _Timeout) -> port_please(Name, Host).

address_please(Name, _Host, _Family) -> {ok, {127, 0, 0, 1}, port_of(Name), ?DISTRIBUTION_VERSION}.

names(_Host) -> {error, address}.

port_of_node(Node) ->
    [Name, _Host] = string:split(atom_to_list(Node), "@"),
    port_of(Name).

port_of(Name) -> list_to_integer(lists:last(string:split(to_list(Name), "-", trailing))).

to_list(Name) when is_atom(Name) -> atom_to_list(Name);
to_list(Name) -> Name.
