%% Starts the nodes of a contestant in Erlang: without epmd, on loopback only.
-module(bench_nodes).

-export([start_distribution/1, start_other/3, stop/1, continue/1]).

%% Makes this emulator a node. Its port is in its name: see bench_epmd.
start_distribution(Role) ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    Name = list_to_atom(Role ++ "-" ++ integer_to_list(Port) ++ "@127.0.0.1"),
    {ok, _} = net_kernel:start([Name, longnames]).

%% Starts an emulator that runs Module:far([Role]), which writes its node's name and its OS pid, on a core or, if that is undefined, wherever it likes.
%% Connected when it returns. It belongs to the calling process, and ends with it.
start_other(Module, Role, Core) ->
    Erl = [os:find_executable("erl"), "-noshell", "-pa", filename:dirname(code:which(?MODULE)),
           "-epmd_module", "bench_epmd", "-start_epmd", "false", "-setcookie", atom_to_list(erlang:get_cookie()),
           "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-kernel", "logger_level", "error",
           "-run", atom_to_list(Module), "far", Role],
    [Program | Args] = case Core of undefined -> Erl; _ -> [os:find_executable("taskset"), "-c", Core | Erl] end,
    Port = open_port({spawn_executable, Program}, [{args, Args}, {line, 1000}]),
    Line = receive {Port, {data, {eol, L}}} -> L after 10000 -> error(no_other_node) end,
    [Name, OsPid] = string:lexemes(Line, " "),
    Node = list_to_atom(Name),
    true = net_kernel:connect_node(Node),
    {Node, OsPid}.

%% Stops a process of the operating system. It goes on with continue/1, or with the end of the calling process or of this emulator, however that ends: the
%% shell reads until then. A stopped node heeds nothing, not even the end of its stdin, and would stay for ever.
stop(OsPid) ->
    Script = "kill -STOP $0; echo; read _; kill -CONT $0",
    Shell = open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", Script, OsPid]}, {line, 10}, exit_status]),
    receive {Shell, {data, _}} -> Shell after 10000 -> error(not_stopped) end.

continue(Shell) ->
    port_command(Shell, "\n"),
    receive {Shell, {exit_status, 0}} -> ok after 10000 -> error(not_continued) end.
