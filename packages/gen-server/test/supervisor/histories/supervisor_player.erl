%% Plays histories of one supervisor on OTP's supervisor: see history.ts. Its parent is the director. A child that runs has its id as its name.
-module(supervisor_player).
-behaviour(supervisor).
-export([main/0, init/1, start_child/1]).

main() -> director:run(fun play/1).

play({Strategy, Intensity, AutoShutdown, Children, Starts, Acts}) ->
    Flags = #{strategy => Strategy, intensity => Intensity, period => 1000000, auto_shutdown => AutoShutdown},
    case supervisor:start_link(?MODULE, {Flags, Children, Starts}) of
        {ok, Supervisor} ->
            Started = line("started", director:seen(), state(Supervisor, Strategy)),
            [Started | acts(Acts, Supervisor, Strategy)];
        {error, {shutdown, {failed_to_start_child, Id, nope}}} ->
            receive {'EXIT', _, _} -> [line("start", director:seen(), ["failed ", atom_to_list(Id)])] end
    end.

acts([], Supervisor, Strategy) ->
    gen_server:stop(Supervisor, shutdown, infinity),
    receive {'EXIT', Supervisor, Reason} -> [line("stop", last(Strategy), ended(Reason))] end;
acts([Act | Acts], Supervisor, Strategy) ->
    Answer = [atom_to_list(element(1, Act)), ": ", act(Act, Supervisor, Strategy)],
    director:rest(),
    receive
        {'EXIT', Supervisor, Reason} ->
            [line(Answer, last(Strategy), ended(Reason))]
    after 0 ->
        Line = line(Answer, director:seen(), state(Supervisor, Strategy)),
        [Line | acts(Acts, Supervisor, Strategy)]
    end.

line(First, Seen, Last) -> lists:join("; ", [First | Seen] ++ [Last]).

ended(Reason) -> ["ended ", director:reason(Reason)].

%% What has been seen up to its end. Those of simple_one_for_one are stopped together, in any order.
last(simple_one_for_one) -> lists:sort([lists:flatten(Text) || Text <- director:seen()]);
last(_Strategy) -> director:seen().

state(Supervisor, Strategy) ->
    Counts = supervisor:count_children(Supervisor),
    Children = [child_text(Child) || Child <- supervisor:which_children(Supervisor)],
    [lists:join(", ", case Strategy of simple_one_for_one -> lists:sort(Children); _ -> Children end),
     io_lib:format(" (~p ~p ~p)", [proplists:get_value(Count, Counts) || Count <- [specs, active, workers]])].

%% With simple_one_for_one children have no ids.
child_text({undefined, Pid, _, _}) -> {registered_name, Name} = process_info(Pid, registered_name), atom_to_list(Name);
child_text({Id, undefined, _, _}) -> ["no ", atom_to_list(Id)];
child_text({Id, Pid, _, _}) when is_pid(Pid) -> atom_to_list(Id).

act({ends, Ends}, Supervisor, _Strategy) ->
    sys:suspend(Supervisor),
    [end_child(whereis(Id), director:reason_term(Reason)) || {Id, Reason} <- Ends],
    sys:resume(Supervisor),
    "ok";
act({start, {Id, _, _, _}}, Supervisor, simple_one_for_one) ->
    case whereis(Id) of
        undefined -> answer(supervisor:start_child(Supervisor, [Id]));
        _ -> "there"
    end;
act({start, Child}, Supervisor, _Strategy) -> answer(supervisor:start_child(Supervisor, spec(Child)));
act({terminate, Id}, Supervisor, Strategy) ->
    case whereis(Id) of
        Pid when is_pid(Pid), Strategy =:= simple_one_for_one -> answer(supervisor:terminate_child(Supervisor, Pid));
        _ -> answer(supervisor:terminate_child(Supervisor, Id))
    end;
act({restart, Id}, Supervisor, _Strategy) -> answer(supervisor:restart_child(Supervisor, Id));
act({delete, Id}, Supervisor, _Strategy) -> answer(supervisor:delete_child(Supervisor, Id)).

end_child(undefined, _Reason) ->
    not_there;
end_child(Pid, Reason) ->
    Monitor = monitor(process, Pid),
    case Reason of
        kill -> exit(Pid, kill);
        _ -> Pid ! {end_with, Reason}
    end,
    receive {'DOWN', Monitor, process, Pid, _} -> ended end.

answer(ok) -> "ok";
answer({ok, undefined}) -> "ignored";
answer({ok, Pid}) when is_pid(Pid) -> "ok";
answer({error, {already_started, _Pid}}) -> "already_started";
%% The child that could not be started, if start_child/2 has been given its specification.
answer({error, {nope, _Child}}) -> "start_failed";
answer({error, nope}) -> "start_failed";
answer({error, Reason}) when is_atom(Reason) -> atom_to_list(Reason).

%% ----------------------------------------------------------------------------------------------------------------- the supervisor, and its children

init({Flags, Children, Starts}) ->
    process_flag(priority, high),
    put(starts, maps:from_list(Starts)),
    Specs = [spec(Child) || Child <- Children],
    {ok, {Flags, case Flags of #{strategy := simple_one_for_one} -> [template(Spec) || Spec <- Specs]; _ -> Specs end}}.

spec({Id, Restart, Significant, Shutdown}) ->
    #{id => Id, start => {?MODULE, start_child, [Id]}, restart => Restart, significant => Significant, shutdown => Shutdown}.

%% The id is an argument of start_child/2.
template(Spec) -> Spec#{start := {?MODULE, start_child, []}}.

start_child(Id) ->
    Start = next_start(Id),
    director:see([atom_to_list(Id), $\s, atom_to_list(Start)]),
    case Start of
        fails -> {error, nope};
        ignored -> ignore;
        _ ->
            Supervisor = self(),
            Pid = spawn_opt(fun() -> begin_child(Id, Supervisor, Start) end, [link, {priority, high}]),
            receive {begun, Pid} -> {ok, Pid} end
    end.

next_start(Id) ->
    case get(starts) of
        #{Id := [Start | Starts]} = All -> put(starts, All#{Id := Starts}), Start;
        _ -> obeys
    end.

begin_child(Id, Supervisor, Start) ->
    process_flag(trap_exit, Start =/= deaf),
    register(Id, self()),
    Supervisor ! {begun, self()},
    receive
        {end_with, Reason} ->
            exit(Reason);
        {'EXIT', Supervisor, Reason} ->
            director:see([atom_to_list(Id), " stops"]),
            exit(case Start of otherwise -> odd; normally -> normal; obeys -> Reason end)
    end.
