%% A table of names that every node holds in memory, by the algorithm of the article that pidmesh began with: the peer of GlobalEts in group `global-ets'.
%%
%%   register_name -- call --> server, the only writer: monitors the process, writes its row -- {register_notify, ...} --> the other servers
%%   nodeup, start  -- {sync_req, Server} --> the other server -- {sync_resp, Server, its own rows} --> merged
%%   DOWN of a process of this node: its name goes here -- {unregister_notify, ...} --> the other servers
%%   DOWN of another node's server: all of that node's names go
%%
%% One ordered set of {Name, Pid, Node, Ref, Meta}: Node is `local' and Ref a monitor for the names of this node; the node's name and `undefined' for
%% others. Lookups read the table and ask nobody. Of two nodes that have the same name the smaller keeps it, and the other's process is killed.
-module(bench_name_table).
-behaviour(gen_server).

-export([start/0, register_name/2, register_name/3, unregister_name/1, whereis_name/1, size/0, watch/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% peers: servers of other nodes, by the monitor on each. names: names of this node, by the monitor of the row. watchers: told `names_changed'.
-record(state, {peers = #{}, names = #{}, watchers = []}).

start() -> gen_server:start({local, ?MODULE}, ?MODULE, [], []).

register_name(Name, Pid) -> register_name(Name, Pid, #{}).

register_name(Name, Pid, Meta) when node(Pid) =:= node() -> gen_server:call(?MODULE, {register, Name, Pid, Meta}, infinity);
register_name(_Name, _Pid, _Meta) -> no.

unregister_name(Name) -> gen_server:call(?MODULE, {unregister, Name}, infinity).

whereis_name(Name) ->
    case ets:lookup(?MODULE, Name) of
        [{_, Pid, _, _, _}] -> Pid;
        [] -> undefined
    end.

size() -> ets:info(?MODULE, size).

%% Pid is told when the table has changed.
watch(Pid) -> gen_server:call(?MODULE, {watch, Pid}).

init([]) ->
    ets:new(?MODULE, [ordered_set, named_table, protected, {read_concurrency, true}]),
    ok = net_kernel:monitor_nodes(true),
    [sync_with(Node) || Node <- nodes()],
    {ok, #state{}}.

handle_call({register, Name, Pid, Meta}, _From, #state{names = Names} = State) ->
    case ets:member(?MODULE, Name) of
        true -> {reply, no, State};
        false ->
            Ref = monitor(process, Pid),
            ets:insert(?MODULE, {Name, Pid, local, Ref, Meta}),
            tell_peers({register_notify, Name, Pid, Meta}, State),
            {reply, yes, changed(State#state{names = Names#{Ref => Name}})}
    end;
handle_call({unregister, Name}, _From, State) ->
    case ets:lookup(?MODULE, Name) of
        [{_, Pid, local, Ref, _}] ->
            demonitor(Ref, [flush]),
            {reply, ok, unregister(Name, Pid, Ref, State)};
        _ -> {reply, ok, State}
    end;
handle_call({watch, Pid}, _From, #state{watchers = Watchers} = State) ->
    monitor(process, Pid),
    {reply, ok, State#state{watchers = [Pid | Watchers]}}.

handle_cast(_Message, State) -> {noreply, State}.

handle_info({register_notify, Name, Pid, Meta}, State) -> {noreply, changed(take_in(Name, Pid, Meta, State))};
handle_info({unregister_notify, Name, Pid}, State) ->
    case ets:lookup(?MODULE, Name) of
        [{_, Pid, _, undefined, _}] -> ets:delete(?MODULE, Name);
        _ -> ok
    end,
    {noreply, changed(State)};
handle_info({'DOWN', Ref, process, Pid, _Reason}, #state{peers = Peers, names = Names} = State) ->
    case {Names, Peers} of
        {#{Ref := Name}, _} -> {noreply, unregister(Name, Pid, Ref, State)};
        {_, #{Ref := Server}} ->
            ets:match_delete(?MODULE, {'_', '_', node(Server), '_', '_'}),
            {noreply, changed(State#state{peers = maps:remove(Ref, Peers)})};
        %% A watcher: who is not there is not told of each change from now on.
        _ -> {noreply, State#state{watchers = lists:delete(Pid, State#state.watchers)}}
    end;
handle_info({sync_req, Server}, State) ->
    Server ! {sync_resp, self(), ets:select(?MODULE, [{{'$1', '$2', local, '_', '$3'}, [], [{{'$1', '$2', '$3'}}]}])},
    {noreply, with_peer(Server, State)};
handle_info({sync_resp, Server, Rows}, State) ->
    Merged = lists:foldl(fun({Name, Pid, Meta}, S) -> take_in(Name, Pid, Meta, S) end, with_peer(Server, State), Rows),
    {noreply, changed(Merged)};
handle_info({nodeup, Node}, State) ->
    sync_with(Node),
    {noreply, State};
handle_info(_Message, State) -> {noreply, State}.

sync_with(Node) -> {?MODULE, Node} ! {sync_req, self()}.

with_peer(Server, #state{peers = Peers} = State) ->
    case lists:member(Server, maps:values(Peers)) of
        true -> State;
        false -> State#state{peers = Peers#{monitor(process, Server) => Server}}
    end.

%% A name of another node. The smaller node wins a clash.
take_in(Name, Pid, Meta, #state{names = Names} = State) ->
    case ets:lookup(?MODULE, Name) of
        [] ->
            ets:insert(?MODULE, {Name, Pid, node(Pid), undefined, Meta}),
            State;
        [{_, Loser, local, Ref, _}] when node(Pid) < node() ->
            demonitor(Ref, [flush]),
            exit(Loser, kill),
            ets:insert(?MODULE, {Name, Pid, node(Pid), undefined, Meta}),
            State#state{names = maps:remove(Ref, Names)};
        [{_, _, Node, undefined, _}] when node(Pid) < Node ->
            ets:insert(?MODULE, {Name, Pid, node(Pid), undefined, Meta}),
            State;
        _ -> State
    end.

unregister(Name, Pid, Ref, #state{names = Names} = State) ->
    ets:delete(?MODULE, Name),
    tell_peers({unregister_notify, Name, Pid}, State),
    changed(State#state{names = maps:remove(Ref, Names)}).

tell_peers(Message, #state{peers = Peers}) ->
    maps:foreach(fun(_Ref, Server) -> Server ! Message end, Peers).

changed(#state{watchers = []} = State) -> State;
changed(#state{watchers = Watchers} = State) ->
    [Watcher ! names_changed || Watcher <- Watchers],
    State.
