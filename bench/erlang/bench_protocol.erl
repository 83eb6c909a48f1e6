%% The child's side of the line protocol of src/contestant.ts, for contestants in Erlang:
%%
%%   stdin {"run":"send","size":1000}  ->  stdout {"ms":1.5,"operations":1000} | {"bytes":..., "operations":...} | {"cpuMs":..., ...} |
%%                                               {"values":{"join":1.5},"operations":1000} | {"error":"..."}
%%
%% One process reads, so that the end of stdin ends the emulator in the middle of a run too; each run has a process of its own, which starts with a
%% heap as small as that of any other.
-module(bench_protocol).

-export([serve/1, halt_with_input/0]).

%% Says that it is ready, then runs what it is told to. Run takes the workload's name and its size, and returns
%% {ms, Ms, Operations}, {bytes, Bytes, Operations}, {cpu_ms, CpuMs, Ms, Operations} or {values, [{Name, Float}], Operations}.
serve(Run) ->
    io:format("{\"ready\":\"OTP ~s, ERTS ~s, ~b schedulers\"}~n",
              [erlang:system_info(otp_release), erlang:system_info(version), erlang:system_info(schedulers_online)]),
    each_line(fun(Line) ->
        {match, [Workload, Size]} =
            re:run(Line, "\"run\":\"([^\"]*)\",\"size\":([0-9]+)", [{capture, all_but_first, list}]),
        spawn(fun() -> answer(Run, Workload, list_to_integer(Size)) end)
    end).

%% For an emulator that is told nothing, but ends when its stdin does.
halt_with_input() -> each_line(fun(_) -> ok end).

each_line(Take) ->
    case io:get_line("") of
        eof -> halt(0);
        {error, _} -> halt(1);
        Line ->
            Take(Line),
            each_line(Take)
    end.

answer(Run, Workload, Size) ->
    try Run(Workload, Size) of
        {ms, Ms, Operations} -> io:format("{\"ms\":~.4f,\"operations\":~b}~n", [Ms, Operations]);
        {bytes, Bytes, Operations} -> io:format("{\"bytes\":~b,\"operations\":~b}~n", [Bytes, Operations]);
        {values, Values, Operations} ->
            Fields = lists:join(",", [io_lib:format("\"~s\":~.4f", [Name, Value]) || {Name, Value} <- Values]),
            io:format("{\"values\":{~s},\"operations\":~b}~n", [Fields, Operations]);
        {cpu_ms, CpuMs, Ms, Operations} ->
            io:format("{\"cpuMs\":~.4f,\"ms\":~.4f,\"operations\":~b}~n", [CpuMs, Ms, Operations])
    catch
        Class:Reason ->
            Text = io_lib:format("~0p", [{Class, Reason}]),
            io:format("{\"error\":\"~s\"}~n", [[C || C <- lists:flatten(Text), C =/= $", C =/= $\\, C >= $\s]])
    end.
